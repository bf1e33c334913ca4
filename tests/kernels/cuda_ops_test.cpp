// The CUDA versions give the reference's bytes: every op, over the edges of tiles and stretches, misaligned, on every
// family of input.
#include <gtest/gtest.h>

#include <tightwire/error.hpp>

#include "kernels/base/arena.hpp"
#include "kernels/cuda/device_buffer.hpp"
#include "kernels/cuda/stream.hpp"
#include "kernels/dither.hpp"
#include "kernels/quantize.hpp"
#include "kernels/scatter.hpp"
#include "tests/kernels/ops.hpp"
#include "tests/kernels/stage.hpp"
#include "tests/support/thrown.hpp"

namespace tw::test {
namespace {

class CudaOpTest : public ::testing::TestWithParam<TestedOp> {};

TEST_P(CudaOpTest, GivesTheReferencesBytes) {
  const cuda::Stream stream;
  cuda::DeviceMemory memory;
  Arena arena(memory);
  const Exec exec{.backend = Backend::cuda, .arena = &arena, .stream = stream.get()};
  for_all_operands([&](const Operands& operands, const std::string& what) {
    if (HasFatalFailure()) return;
    const Outcome expected = GetParam().run({.backend = Backend::reference}, operands);
    ASSERT_EQ(difference(expected, GetParam().run(exec, operands)), "") << what;
  });
}

INSTANTIATE_TEST_SUITE_P(Every, CudaOpTest, ::testing::ValuesIn(ops_under_test()),
                         [](const auto& param) { return param.param.name; });

Outcome quantized_with_residual_at(Exec on, std::size_t offset) {
  constexpr std::uint64_t kCount = 1000, kBlock = 256;
  const std::vector<float> x = make_input(Family::gaussian, kCount, DType::f32, 0);
  const Operands operands{kCount, 0, x, x};
  Stage stage(on, operands);
  // The residuals are views into longer arrays.
  const auto in = stage.array<float>(kCount + 4).subspan(offset, kCount);
  const auto out = stage.array<float>(kCount + 4).subspan(4 - offset, kCount);
  quantize_int8_feedback(stage.exec(), stage.values(), {in, out},
                         {kBlock, stage.array<float>(4), stage.array<std::int8_t>(kCount)});
  return stage.outcome();
}

TEST(CudaBlocks, MayHaveArraysThatAreMisalignedEachInItsWay) {
  const cuda::Stream stream;
  const Exec exec{.backend = Backend::cuda, .stream = stream.get()};
  for (const std::size_t offset : {0, 1, 2, 3, 4})
    EXPECT_EQ(difference(quantized_with_residual_at({.backend = Backend::reference}, offset),
                         quantized_with_residual_at(exec, offset)),
              "")
        << offset;
}

Outcome dithered_in_blocks_of(Exec on, std::uint64_t block) {
  constexpr std::uint64_t kBlocks = 5;
  constexpr std::uint32_t kBits = 5;
  const std::vector<float> x = make_input(Family::gaussian, kBlocks * block, DType::f32, 0);
  const Operands operands{x.size(), 0, x, x};
  Stage stage(on, operands);
  encode_dithered(stage.exec(), stage.values(), Norm::max, {},
                  {block, kBits, stage.array<float>(kBlocks), stage.array<std::uint32_t>(x.size() / 32 * kBits)});
  return stage.outcome();
}

// A block has 35 words, of which a lane stores two; they begin at every multiple of four bytes.
TEST(CudaBlocks, MayHaveMoreWordsThanAWarpHasLanes) {
  const Exec exec{.backend = Backend::cuda};
  constexpr std::uint64_t kBlock = 7 * 32;
  EXPECT_EQ(
      difference(dithered_in_blocks_of({.backend = Backend::reference}, kBlock), dithered_in_blocks_of(exec, kBlock)),
      "");
}

// As if there were so many elements; none is looked at.
TEST(CudaBlocks, OfMoreElementsThanKernelsCountAreRefused) {
  constexpr std::uint64_t kMany = std::uint64_t{1} << 33;
  float* const nowhere = nullptr;
  const Exec exec{.backend = Backend::cuda};
  const auto refused = [](auto call) {
    return message_of<UsageError>(call).find("CUDA takes fewer than 2^32 a block") != std::string::npos;
  };
  EXPECT_TRUE(refused([&] { quantize_int8(exec, {nowhere, kMany}, {kMany, {}, {}}); }));
  EXPECT_TRUE(refused([&] { dequantize_int8(exec, {kMany / 2, {}, {}}, {}, {nowhere, kMany}); }));
}

// Here units and codes end where memory does; elsewhere canaries are behind them.
TEST(CudaBlocks, ReadNothingBehindTheirBody) {
  constexpr std::uint64_t kBlock = 32;
  const Exec exec{.backend = Backend::cuda};
  for (const std::uint64_t count : {kBlock + 8, 2 * kBlock}) {
    const cuda::DeviceBuffer<float> units(2), out(count);
    const cuda::DeviceBuffer<std::int8_t> codes(count);
    cuda::copy<float>(exec, std::vector<float>{0.5f, 0.25f}, units.span());
    cuda::copy<std::int8_t>(exec, std::vector<std::int8_t>(count, 4), codes.span());
    dequantize_int8(exec, {kBlock, units.span(), codes.span()}, {}, out.span());
    std::vector<float> left(count), expected(kBlock, 2.0f);
    expected.resize(count, 1.0f);
    cuda::copy<float>(exec, out.span(), left);
    cuda::synchronize(exec);
    EXPECT_EQ(left, expected);
  }
}

// Each index repeats the one before it once: in registers of the same thread, of another, and between tiles.
TEST(CudaSparse, IndicesAreComparedWithTheOnesBefore) {
  constexpr std::uint32_t kCount = 600;
  const cuda::Stream stream;
  const Exec on{.backend = Backend::cuda, .stream = stream.get()};
  const Operands none{};
  for (const std::size_t offset : {0, 1})
    for (std::uint32_t wrong = 0; wrong < kCount; ++wrong) {
      Stage stage(on, none);
      Guarded<std::uint32_t> indices(kCount, 0, offset);
      for (std::uint32_t j = 0; j < kCount; ++j) indices.span()[j] = wrong == 0 || j < wrong ? j : j - 1;
      Placed<std::uint32_t> placed(on, std::move(indices));
      check_indices(stage.exec(), placed.span(), kCount);
      ASSERT_EQ(stage.outcome().status, wrong == 0 ? 0u : kStatusBadPayload) << wrong << ", offset " << offset;
    }
}

// What is foreign may point behind the end, where memory ends here, or descend. Elements are ones, or zeros if
// assigned.
TEST(CudaSparse, ForeignIndicesChangeNothingElsewhere) {
  constexpr std::uint32_t kStretch = 8192, kCount = kStretch + 3;  // an assigning scatter writes stretches
  const std::vector<std::uint32_t> indices{kStretch, 5, kCount, 7, 0xffffffff};
  const Exec exec{.backend = Backend::cuda};
  const cuda::DeviceBuffer<float> added(kCount), cleared(kCount), assigned(kCount), values(indices.size());
  const cuda::DeviceBuffer<std::uint32_t> at(indices.size()), descending(2);
  std::vector<float> expected(kCount, 1.0f), left(kCount);
  const auto expect = [&](const cuda::DeviceBuffer<float>& actual, std::initializer_list<std::uint32_t> where,
                          float is) {
    for (const std::uint32_t i : where) expected[i] = is;
    cuda::copy<float>(exec, actual.span(), left);
    cuda::synchronize(exec);
    EXPECT_EQ(left, expected);
  };
  cuda::copy<std::uint32_t>(exec, indices, at.span());
  cuda::copy<std::uint32_t>(exec, std::vector<std::uint32_t>{kStretch, 5}, descending.span());
  cuda::copy<float>(exec, std::vector<float>(indices.size(), 2.0f), values.span());
  for (const auto* ones : {&added, &cleared}) cuda::copy<float>(exec, expected, ones->span());
  scatter(exec, {at.span(), values.span()}, {Combine::add, 1.0f}, added.span());
  expect(added, {kStretch, 5, 7}, 3.0f);
  clear_at(exec, at.span(), cleared.span());
  expected.assign(kCount, 1.0f);
  expect(cleared, {kStretch, 5, 7}, 0.0f);
  scatter(exec, {descending.span(), values.span().first(2)}, {Combine::assign, 1.0f}, assigned.span());
  expected.assign(kCount, 0.0f);
  expect(assigned, {5}, 2.0f);
}

}  // namespace
}  // namespace tw::test
