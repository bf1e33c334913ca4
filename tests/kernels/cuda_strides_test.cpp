// More elements than all blocks of a kernel take at once: they walk in grid strides. How many that are follows from the
// device; under ptxrun it has one multiprocessor.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "kernels/base/arena.hpp"
#include "kernels/cuda/device_buffer.hpp"
#include "kernels/cuda/error.hpp"
#include "kernels/cuda/stream.hpp"
#include "tests/kernels/ops.hpp"

namespace tw::test {
namespace {

/// Twice what the blocks of a kernel take at once at most, and no multiple of anything.
std::uint64_t many() {
  constexpr std::uint64_t kBlocksPerMultiprocessor = 16, kElementsABlock = 4096, kOdd = 777;
  int multiprocessors = 0;
  TW_CUDA(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, 0));
  return 2 * kBlocksPerMultiprocessor * kElementsABlock * static_cast<std::uint64_t>(multiprocessors) + kOdd;
}

std::vector<float> repeated(const std::vector<float>& values, std::uint64_t count) {
  std::vector<float> all(count);
  for (std::uint64_t i = 0; i < count; ++i) all[i] = values[i % values.size()];
  return all;
}

class CudaStrides : public ::testing::TestWithParam<std::string> {};

TEST_P(CudaStrides, ReachEveryElement) {
  constexpr std::uint64_t kPeriod = 99991;
  const cuda::Stream stream;
  cuda::DeviceMemory memory;
  Arena arena(memory);
  const std::uint64_t count = many();
  const std::vector<TestedOp> ops = ops_under_test();
  const auto op = std::find_if(ops.begin(), ops.end(), [](const TestedOp& one) { return one.name == GetParam(); });
  ASSERT_NE(op, ops.end());
  for (const std::size_t offset : {0, 3}) {
    const Operands operands{count, offset, repeated(make_input(Family::gaussian, kPeriod, DType::f32, 0), count),
                            repeated(make_input(Family::heavy, kPeriod, DType::f32, 1), count)};
    EXPECT_EQ(difference(op->run({.backend = Backend::reference}, operands),
                         op->run({.backend = Backend::cuda, .arena = &arena, .stream = stream.get()}, operands)),
              "")
        << "offset " << offset;
  }
}

// Each kernel, or one of those that a template makes.
INSTANTIATE_TEST_SUITE_P(Of, CudaStrides,
                         ::testing::Values("accumulate", "clear_bytes_from1", "quantize_int8_block32",
                                           "quantize_int8_feedback_block512", "dequantize_int8_add_block256",
                                           "decode_signs_block256", "encode_dithered_bits4_max",
                                           "sample_strata_from7_all", "scatter_hundredth", "select_largest_hundredth",
                                           "select_largest_feedback_all"),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace tw::test
