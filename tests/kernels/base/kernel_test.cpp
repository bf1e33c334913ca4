#include "kernels/base/kernel.hpp"

#include <gtest/gtest.h>

#include <tightwire/error.hpp>

#include "kernels/cuda/device_buffer.hpp"
#include "tests/support/thrown.hpp"

namespace tw::test {
namespace {

void mark_one(const Exec& exec) { *exec.status = 1; }
void mark_two(const Exec& exec) { *exec.status = 2; }

TEST(Kernel, RunsTheFunctionOfTheBackend) {
  constexpr Kernel<void(const Exec&)> mark{mark_one, mark_two};
  std::uint32_t mark_left = 0;
  mark({.backend = Backend::reference, .status = &mark_left});
  EXPECT_EQ(mark_left, 1u);
  mark({.backend = Backend::simd, .status = &mark_left});
  EXPECT_EQ(mark_left, 2u);
}

TEST(Kernel, WithoutACudaFunctionSaysWhatToDo) {
  constexpr Kernel<void(const Exec&)> mark{mark_one, mark_two};
  const auto run = [&] { mark({.backend = Backend::cuda}); };
  if (kHaveCuda)
    EXPECT_NE(message_of<UsageError>(run).find("no CUDA version"), std::string::npos);
  else
    EXPECT_NE(message_of<CudaError>(run).find("-DTW_CUDA=ON"), std::string::npos);
}

TEST(Kernel, DeviceMemoryWithoutCudaSaysWhatToDo) {
  if (kHaveCuda) return;  // tests/kernels/cuda_test.cpp
  EXPECT_NE(message_of<CudaError>([] { cuda::DeviceBuffer<float>(1); }).find("-DTW_CUDA=ON"), std::string::npos);
}

}  // namespace
}  // namespace tw::test
