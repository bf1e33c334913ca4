#include "tests/compress/codec_harness.hpp"

#include <gtest/gtest.h>

#include <algorithm>

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

Coding::Coding(std::string_view spec, const Param& param, Backend backend) : compressor_(spec), param_(param) {
  exec_.backend = backend;
  exec_.arena = &arena_;
  exec_.status = &status_;
}

std::vector<std::byte> Coding::encode(std::span<const float> values, std::uint64_t first, const EncodeKey& key) {
  Guarded<std::byte> room(codec().max_bytes({&param_, first, values.size()}), fill);
  const EncodeJob job{{&param_, first, values}, room.span()};
  std::uint32_t bytes = 0xffffffffu;
  codec().encode(context(key), {&job, 1}, {&bytes, 1});
  EXPECT_TRUE(room.intact()) << "encode wrote outside the body";
  EXPECT_LE(bytes, room.span().size());
  EXPECT_EQ(bytes % 16, 0u);
  return {room.span().begin(), room.span().begin() + bytes};
}

void Coding::decode_into(std::span<const std::byte> body, std::span<float> out, Combine combine, float scale,
                         std::uint64_t first, const EncodeKey& key) {
  Guarded<std::byte> aligned(body.size());
  std::copy(body.begin(), body.end(), aligned.span().begin());
  Guarded<float> guarded(out.size(), 0.0f, 1);  // tensors are aligned to their elements only
  std::copy(out.begin(), out.end(), guarded.span().begin());
  codec().validate(context(key), aligned.span(), {&param_, first, out.size()});
  const DecodeJob job{aligned.span(), {&param_, first, guarded.span()}};
  codec().decode(context(key), {&job, 1}, combine, scale);
  EXPECT_TRUE(guarded.intact()) << "decode wrote outside its run";
  std::copy(guarded.span().begin(), guarded.span().end(), out.begin());
}

std::vector<float> Coding::decode(std::span<const std::byte> body, std::uint64_t count, std::uint64_t first,
                                  const EncodeKey& key) {
  std::vector<float> out(count, -77.0f);
  decode_into(body, out, Combine::assign, 1.0f, first, key);
  return out;
}

Coding::WithResidual Coding::encode_fused(std::span<const float> values, std::span<const float> residual) {
  Guarded<std::byte> room(codec().max_bytes({&param_, 0, values.size()}), fill);
  Guarded<float> next(values.size(), -77.0f, 3);
  const FusedFeedback::Job job{{{&param_, 0, values}, room.span()}, residual, next.span()};
  std::uint32_t bytes = 0;
  codec().fused_feedback()->encode_with_residual(context(), {&job, 1}, {&bytes, 1});
  EXPECT_TRUE(room.intact() && next.intact()) << "the fused encode wrote outside its buffers";
  return {{room.span().begin(), room.span().begin() + bytes}, {next.span().begin(), next.span().end()}};
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
        for (const Backend backend : kBackends) {
          if (dtype != DType::f32 && count > 4096) continue;
          SCOPED_TRACE(::testing::Message() << tw::name_of(dtype) << ' ' << name_of(family) << " x " << count
                                            << (backend == Backend::reference ? " reference" : " simd"));
          visit({dtype, family, count, backend});
        }
}

}  // namespace tw::test
