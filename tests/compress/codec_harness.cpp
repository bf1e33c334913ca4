#include "tests/compress/codec_harness.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "compress/registry.hpp"
#include "kernels/math/bits.hpp"

namespace tw::test {

std::vector<std::string> specs_under_test() {
  std::vector<std::string> specs;
  for (const CodecRow& row : codec_table()) specs.emplace_back(row.name);
  for (const char* spec : {"int8:block=32", "int8:block=4096", "onebit:block=32", "onebit:block=4096", "topk:ratio=0.3",
                           "topk:ratio=1", "topk:count=7", "qsgd:bits=2,block=32", "qsgd:bits=3,norm=l2",
                           "qsgd:bits=5,block=64", "qsgd:bits=6", "qsgd:bits=7,block=4096", "qsgd:bits=8,norm=l2",
                           "qsgd:bits=8", "randomk:ratio=0.3", "randomk:count=7", "randomk:ratio=0.1,mode=unbiased"})
    specs.emplace_back(spec);
  return specs;
}

std::string_view name_of(Backend backend) {
  return backend == Backend::reference ? "reference" : backend == Backend::simd ? "simd" : "cuda";
}

Coding::Coding(std::string_view spec, const Param& param, Backend backend)
    : compressor_(spec),
      param_(param),
      exec_{.backend = backend},
      arena_(memory_of(residence_of(exec_))),
      status_(allocate_block(memory_of(backend == Backend::cuda ? Residence::pinned : Residence::host), 64)),
      state_(exec_) {
  exec_.arena = &arena_;
  exec_.batch = &batch_;
  exec_.status = reinterpret_cast<std::uint32_t*>(status_.get());
  *exec_.status = 0;
}

std::uint32_t Coding::take_status() {
  synchronize(exec_);
  return std::exchange(*exec_.status, 0);
}

std::vector<std::byte> Coding::fetch_body(Placed<std::byte>& room, std::uint32_t bytes) {
  const Guarded<std::byte>& body = room.fetch();
  EXPECT_TRUE(body.intact()) << "encode wrote outside the body";
  EXPECT_LE(bytes, body.span().size());
  EXPECT_EQ(bytes % 16, 0u);
  return {body.span().begin(), body.span().begin() + bytes};
}

std::vector<std::byte> Coding::encode(std::span<const float> values, std::uint64_t first, const EncodeKey& key) {
  auto input = placed_copy(exec_, values);
  Placed<std::byte> room(exec_, Guarded(codec().max_bytes({&param_, first, values.size()}), fill));
  const EncodeJob job{{&param_, first, input.span()}, room.span()};
  std::uint32_t bytes = 0xffffffffu;
  codec().encode(context(key), {&job, 1}, {&bytes, 1});
  return fetch_body(room, bytes);
}

std::vector<std::vector<std::byte>> Coding::encode_together(std::span<const Input> inputs) {
  std::deque<Placed<float>> values;
  std::deque<Placed<std::byte>> rooms;
  std::vector<EncodeJob> jobs;
  for (const Input& input : inputs) {
    const Extent extent{input.param, input.first, input.values.size()};
    rooms.emplace_back(exec_, Guarded(codec().max_bytes(extent), fill));
    values.push_back(placed_copy(exec_, input.values));
    jobs.push_back({{input.param, input.first, values.back().span()}, rooms.back().span()});
  }
  std::vector<std::uint32_t> bytes(jobs.size());
  codec().encode(context(), jobs, bytes);
  std::vector<std::vector<std::byte>> bodies;
  for (std::size_t i = 0; i < jobs.size(); ++i) bodies.push_back(fetch_body(rooms[i], bytes[i]));
  return bodies;
}

std::vector<float> Coding::decode_valid(std::span<const std::byte> body, std::span<const float> onto, const Blend& how,
                                        std::uint64_t first, const EncodeKey& key) {
  Guarded<std::byte> aligned(body.size());
  std::copy(body.begin(), body.end(), aligned.span().begin());
  Placed<std::byte> placed(exec_, std::move(aligned));
  Guarded<float> guarded(onto.size(), 0.0f, 1);  // tensors are aligned to their elements only
  std::copy(onto.begin(), onto.end(), guarded.span().begin());
  Placed<float> run(exec_, std::move(guarded));
  const DecodeJob job{placed.span(), {&param_, first, run.span()}};
  codec().check(context(key), placed.span(), {&param_, first, onto.size()});
  codec().decode(context(key), {&job, 1}, how.combine, how.scale);
  const Guarded<float>& decoded = run.fetch();
  EXPECT_TRUE(decoded.intact()) << "decode wrote outside its run";
  return {decoded.span().begin(), decoded.span().end()};
}

void Coding::decode_into(std::span<const std::byte> body, std::span<float> out, Combine combine, float scale,
                         std::uint64_t first, const EncodeKey& key) {
  const std::vector<std::byte> aligned(body.begin(), body.end());
  codec().validate(context(key), aligned, {&param_, first, out.size()});
  const auto decoded = decode_valid(body, out, {combine, scale}, first, key);
  std::copy(decoded.begin(), decoded.end(), out.begin());
}

std::uint32_t Coding::decode_unseen(std::span<const std::byte> body, std::uint64_t count) {
  const std::vector<float> zeros(count);
  decode_valid(body, zeros, {Combine::add, 1.0f}, 0, kKey);
  decode_valid(body, zeros, {Combine::assign, 1.0f}, 0, kKey);
  if (codec().selection() != nullptr) cleared(body, zeros);
  return take_status();
}

std::vector<float> Coding::decode(std::span<const std::byte> body, std::uint64_t count, std::uint64_t first,
                                  const EncodeKey& key) {
  std::vector<float> out(count, -77.0f);
  decode_into(body, out, Combine::assign, 1.0f, first, key);
  return out;
}

std::vector<float> Coding::cleared(std::span<const std::byte> body, std::span<const float> values) {
  auto placed_body = placed_copy(exec_, body);
  auto run = placed_copy(exec_, values);
  codec().selection()->clear_selected(context(), placed_body.span(), {&param_, 0, values.size()}, run.span());
  const auto left = run.fetch().span();
  return {left.begin(), left.end()};
}

std::vector<float> Coding::compress(std::span<const float> gradient, const EncodeKey& key) {
  auto input = placed_copy(exec_, gradient);
  Placed<std::byte> room(exec_, Guarded(codec().max_bytes({&param_, 0, gradient.size()}), fill));
  const EncodeJob job{{&param_, 0, input.span()}, room.span()};
  std::uint32_t bytes = 0;
  compressor_.encode(context(key), {&job, 1}, {&bytes, 1});
  return decode(fetch_body(room, bytes), gradient.size(), 0, key);
}

std::vector<float> Coding::residual() {
  std::vector<float> residual;
  state_.for_each([&](const State::Entry& entry) {
    residual.resize(entry.live.size());
    copy<float>(exec_, entry.live, residual);
  });
  synchronize(exec_);
  return residual;
}

Coding::WithResidual Coding::encode_fused(std::span<const float> values, std::span<const float> residual) {
  auto input = placed_copy(exec_, values), before = placed_copy(exec_, residual);
  Placed<std::byte> room(exec_, Guarded(codec().max_bytes({&param_, 0, values.size()}), fill));
  Placed<float> next(exec_, Guarded(values.size(), -77.0f, 3));
  const FusedFeedback::Job job{{{&param_, 0, input.span()}, room.span()}, before.span(), next.span()};
  std::uint32_t bytes = 0;
  codec().fused_feedback()->encode_with_residual(context(), {&job, 1}, {&bytes, 1});
  const Guarded<float>& left = next.fetch();
  EXPECT_TRUE(left.intact()) << "the fused encode wrote outside its residual";
  return {fetch_body(room, bytes), {left.span().begin(), left.span().end()}};
}

Coding::WithResidual Coding::encode_stepwise(std::span<const float> values, std::span<const float> residual) {
  std::vector<float> p(values.size()), next(values.size());
  for (std::size_t i = 0; i < p.size(); ++i) p[i] = values[i] + residual[i];
  auto body = encode(p);
  const auto own = decode(body, p.size());
  for (std::size_t i = 0; i < p.size(); ++i) next[i] = p[i] - own[i];
  return {std::move(body), std::move(next)};
}

Param make_param(std::uint64_t count, DType dtype) { return {"weight", 5, 1, count, dtype}; }

bool same_values(std::span<const float> a, std::span<const float> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](float x, float y) {
    return std::bit_cast<std::uint32_t>(canonical(x)) == std::bit_cast<std::uint32_t>(canonical(y));
  });
}

double squared_norm(std::span<const float> x) {
  double sum = 0;
  for (const double value : x) sum += value * value;
  return sum;
}

double squared_error(std::span<const float> x, std::span<const float> y) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double error = static_cast<double>(x[i]) - static_cast<double>(y[i]);
    sum += error * error;
  }
  return sum;
}

void for_each_case(std::span<const Family> families, const std::function<void(const Case&)>& visit) {
  for (const DType dtype : kGradientTypes)
    for (const Family family : families)
      for (const std::uint64_t count : sizes_under_test())
        for (const Backend backend : backends_under_test()) {
          if (dtype != DType::f32 && count > 4096) continue;
          SCOPED_TRACE(::testing::Message()
                       << tw::name_of(dtype) << ' ' << name_of(family) << " x " << count << ' ' << name_of(backend));
          visit({dtype, family, count, backend});
        }
}

}  // namespace tw::test
