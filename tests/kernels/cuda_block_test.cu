// What the threads of a block do together, more than once in a kernel.
#include <gtest/gtest.h>

#include <vector>

#include "kernels/cuda/block.hpp"
#include "kernels/cuda/device_buffer.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/stream.hpp"

namespace tw::test {
namespace {

constexpr std::uint64_t kRounds = 3;

// Every thread adds 1 + its index + the round, and leaves what its sums are.
struct SumKernel {
  std::uint64_t* before;
  std::uint64_t* total;

  __device__ void operator()(cuda::Grid grid) const {
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      const cuda::BlockSum sum = cuda::sum_before(1 + threadIdx.x + round);
      before[round * cuda::kThreads + grid.thread()] = sum.before;
      total[round * cuda::kThreads + grid.thread()] = sum.total;
    }
  }
};

TEST(CudaBlock, SumsFollowOneAnother) {
  const Exec exec{.backend = Backend::cuda};
  constexpr std::uint64_t kCount = kRounds * cuda::kThreads;
  const cuda::DeviceBuffer<std::uint64_t> d_before(kCount), d_total(kCount);
  cuda::launch(exec, SumKernel{d_before.span().data(), d_total.span().data()}, 1);
  std::vector<std::uint64_t> before(kCount), total(kCount);
  cuda::copy<std::uint64_t>(exec, d_before.span(), before);
  cuda::copy<std::uint64_t>(exec, d_total.span(), total);
  cuda::synchronize(exec);
  for (std::uint64_t i = 0; i < kCount; ++i) {
    const std::uint64_t thread = i % cuda::kThreads, round = i / cuda::kThreads;
    ASSERT_EQ(before[i], thread * (thread + 1) / 2 + thread * round) << "thread " << thread << ", round " << round;
    ASSERT_EQ(total[i], cuda::kThreads * (cuda::kThreads + 1) / 2 + cuda::kThreads * round) << "round " << round;
  }
}

}  // namespace
}  // namespace tw::test
