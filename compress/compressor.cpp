#include "compress/compressor.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "compress/registry.hpp"
#include "kernels/base/arena.hpp"
#include "kernels/base/check.hpp"
#include "kernels/base/hash.hpp"
#include "kernels/cuda/batch.hpp"

namespace tw {
namespace {

template <class Thing>
const Row<Thing>* find_row(std::span<const Row<Thing>> table, std::string_view name) {
  for (const auto& row : table)
    if (row.name == name) return &row;
  return nullptr;
}

template <class Thing>
std::string names_of(std::span<const Row<Thing>> table) {
  std::string names;
  for (const auto& row : table) names += (names.empty() ? "" : ", ") + std::string(row.name);
  return names;
}

constexpr std::size_t kJobsAtATime = 64;  // coded in one call of a codec

// A parameter large enough to show what a codec's traits are where they do not depend on the shape.
Param sample_param() { return {"sample", 0, 1024, 1024, DType::f32}; }

// "count<4096" and "count>=4096"; nothing for other patterns.
struct CountRule {
  bool below;
  std::uint64_t count;
  bool matches(std::uint64_t value) const { return below ? value < count : value >= count; }
};

std::optional<CountRule> count_rule(const std::string& pattern) {
  const bool below = pattern.starts_with("count<");
  if (!below && !pattern.starts_with("count>=")) return std::nullopt;
  const char* begin = pattern.c_str() + (below ? 6 : 7);
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(begin, pattern.c_str() + pattern.size(), count);
  TW_CHECK(error == std::errc() && *end == '\0', UsageError, "pattern '", pattern,
           "' is no rule on counts; those are count<N and count>=N");
  return CountRule{below, count};
}

bool matches(const std::string& pattern, const Param& param) {
  if (const auto rule = count_rule(pattern)) return rule->matches(param.count());
  return fnmatch(pattern.c_str(), param.name.c_str(), 0) == 0;
}

}  // namespace

Compressor::Compressor(std::string_view spec) {
  const std::vector<SpecTerm> terms = parse_spec(spec);
  const CodecRow* codec_row = find_row(codec_table(), terms.front().name);
  TW_CHECK(codec_row != nullptr, UsageError, "unknown codec '", terms.front().name, "' in '", spec,
           "'; known: ", names_of(codec_table()));
  TW_CHECK(terms.size() <= 2, UsageError, "'", spec, "' has ", terms.size() - 1, " memories; at most one");
  std::vector<SpecTerm> canonical{codec_row->canonical(terms.front())};
  codec_ = codec_row->make(terms.front());
  codec_hash_ = hash64(print_spec(canonical));
  if (terms.size() == 2) {
    const MemoryRow* memory_row = find_row(memory_table(), terms[1].name);
    TW_CHECK(memory_row != nullptr, UsageError, "unknown memory '", terms[1].name, "' in '", spec,
             "'; known: ", names_of(memory_table()));
    memory_ = memory_row->make(terms[1]);
    canonical.push_back(memory_row->canonical(terms[1]));
    TW_CHECK(!memory_->needs_contraction() || codec_->traits(sample_param()).contractive, UsageError, "'",
             print_spec(canonical), "': ", terms[1].name, " needs a codec whose error is smaller than its input, and ",
             print_spec({canonical.front()}), " is none: its residual would grow without bound");
  }
  canonical_ = print_spec(canonical);
}

void Compressor::declare_slots(State& state, const Param& param, Hop hop, std::uint64_t first,
                               std::uint64_t count) const {
  if (memory_) memory_->declare_slots(state, param, hop, first, count);
}

void Compressor::encode(const Context& context, std::span<const EncodeJob> jobs,
                        std::span<std::uint32_t> body_bytes) const {
  if (!memory_) return codec_->encode(context, jobs, body_bytes);
  cuda::BatchScope batch(context.exec);
  for (std::size_t begin = 0; begin < jobs.size(); begin += kJobsAtATime) {
    const std::size_t count = std::min(kJobsAtATime, jobs.size() - begin);
    batch.begin_job();
    if (encode_fused(context, jobs.subspan(begin, count), body_bytes.subspan(begin, count))) continue;
    for (std::size_t i = begin; i < begin + count; ++i) {
      batch.begin_job();
      encode_in_steps(context, jobs[i], body_bytes[i]);
    }
  }
  batch.close();
}

// False where codec or memory cannot do it in one pass.
bool Compressor::encode_fused(const Context& context, std::span<const EncodeJob> jobs,
                              std::span<std::uint32_t> body_bytes) const {
  const FusedFeedback* fused = codec_->fused_feedback();
  if (fused == nullptr) return false;
  std::array<FusedFeedback::Job, kJobsAtATime> fused_jobs;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const Input& input = jobs[i].input;
    const auto residual = memory_->plain_residual(context, {input.param, input.first, input.values.size()});
    if (!residual) return false;
    fused_jobs[i] = {jobs[i], residual->live, residual->next};
  }
  fused->encode_with_residual(context, std::span(fused_jobs).first(jobs.size()), body_bytes);
  return true;
}

void Compressor::encode_in_steps(const Context& context, const EncodeJob& job, std::uint32_t& body_bytes) const {
  Arena::Scope scratch(*context.exec.arena);
  const std::size_t count = job.input.values.size();
  const auto p = scratch.take<float>(count), own_estimate = scratch.take<float>(count);
  memory_->prepare(context, job.input, p);
  const EncodeJob prepared{{job.input.param, job.input.first, p}, job.body};
  codec_->encode(context, {&prepared, 1}, {&body_bytes, 1});
  const auto body = std::span<const std::byte>(job.body).first(body_bytes);
  const DecodeJob own{body, {job.input.param, job.input.first, own_estimate}};
  codec_->decode(context, {&own, 1}, Combine::assign, 1.0f);
  memory_->absorb(context, prepared.input, *codec_, body, own_estimate);
}

void Compressor::decode(const Context& context, std::span<const DecodeJob> jobs, Combine combine, float scale) const {
  codec_->decode(context, jobs, combine, scale);
}

void Compressor::deliver(const Context& context, const Output& mean) const {
  if (memory_) memory_->deliver(context, mean);
}

CompressorTable::CompressorTable(std::string_view default_spec,
                                 std::span<const std::pair<std::string, std::string>> rules) {
  rules_.push_back({"*", std::make_unique<Compressor>(default_spec)});
  for (const auto& [pattern, spec] : rules) {
    count_rule(pattern);
    rules_.push_back({pattern, std::make_unique<Compressor>(spec)});
  }
}

const Compressor& CompressorTable::for_param(const Param& param) const {
  for (auto rule = rules_.rbegin(); rule != rules_.rend() - 1; ++rule)
    if (matches(rule->pattern, param)) return *rule->compressor;
  return *rules_.front().compressor;
}

std::string CompressorTable::description() const {
  std::string text;
  for (const Rule& rule : rules_)
    text +=
        detail::concat(text.empty() ? "" : "\n", "codec of '", rule.pattern, "': ", rule.compressor->canonical_spec());
  return text;
}

}  // namespace tw
