#include "compress/codecs/randomk.hpp"

#include "compress/randomness.hpp"
#include "kernels/base/arena.hpp"
#include "kernels/inspect.hpp"
#include "kernels/scatter.hpp"

namespace tw {
namespace {

std::span<std::uint32_t> indices_of(const Context& context, const Extent& extent, std::uint64_t selected,
                                    Arena::Scope& scratch) {
  const auto indices = scratch.take<std::uint32_t>(selected);
  const SampledRun run{shared_words(key_for_op(context), extent.param->id), extent.first, extent.count,
                       context.recorded_step};
  sample_strata(context.exec, run, indices);
  return indices;
}

}  // namespace

void RandomK::declare(Params& params, ParamVisitor& visitor) {
  static constexpr std::string_view kModes[] = {"biased", "unbiased"};
  Amount::declare(params.amount, visitor);
  visitor.choice("mode", params.mode, kModes, "values as they are, or times the size of their stratum");
}

CodecTraits RandomK::traits(const Param& param) const {
  CodecTraits traits;
  traits.unbiased = unbiased_;
  traits.contractive = !unbiased_;
  traits.linear = traits.sparse = true;
  traits.granule = amount_.granule(param);
  return traits;
}

std::size_t RandomK::max_bytes(const Extent& extent) const { return array_bytes<float>(amount_.selected(extent)); }

void RandomK::encode_run(const Context& context, const EncodeJob& job) const {
  const auto& [param, first, values] = job.input;
  const Extent extent{param, first, values.size()};
  const std::uint64_t selected = amount_.selected(extent);
  const auto sent = BodyWriter(context.exec, job.body).array<float>(selected);
  inspect(context.exec, values);  // what is not sent may stay in a residual
  Arena::Scope scratch(*context.exec.arena);
  gather(context.exec, values, {indices_of(context, extent, selected, scratch), sent});
  if (!unbiased_ || context.key.hop != Hop::worker) return;
  scale_by_strata(context.exec, extent.count, sent);
}

void RandomK::decode_run(const Context& context, const DecodeJob& job, Blend how) const {
  const auto& [param, first, values] = job.output;
  const Extent extent{param, first, values.size()};
  const std::uint64_t selected = amount_.selected(extent);
  Arena::Scope scratch(*context.exec.arena);
  const auto indices = indices_of(context, extent, selected, scratch);
  scatter(context.exec, {indices, BodyReader(job.body).array<float>(selected)}, how, values);
}

void RandomK::clear_selected(const Context& context, std::span<const std::byte>, const Extent& extent,
                             std::span<float> values) const {
  Arena::Scope scratch(*context.exec.arena);
  clear_at(context.exec, indices_of(context, extent, amount_.selected(extent), scratch), values);
}

}  // namespace tw
