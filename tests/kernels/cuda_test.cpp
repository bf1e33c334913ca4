// What CUDA kernels share: memory, errors, devices, streams, the recorded step, and indices beyond 32 bits.
#include <gtest/gtest.h>

#include <deque>
#include <numeric>

#include "kernels/base/arena.hpp"
#include "kernels/cuda/device.hpp"
#include "kernels/cuda/device_buffer.hpp"
#include "kernels/cuda/error.hpp"
#include "kernels/cuda/step_record.hpp"
#include "kernels/cuda/stream.hpp"
#include "kernels/math/step.hpp"
#include "kernels/reduce.hpp"
#include "kernels/sample.hpp"
#include "kernels/scatter.hpp"
#include "tests/support/thrown.hpp"

namespace tw::test {
namespace {

constexpr Exec kDevice{.backend = Backend::cuda};

template <class T>
std::vector<T> on_host(std::span<const T> device) {
  std::vector<T> values(device.size());
  cuda::copy<T>(kDevice, device, values);
  cuda::synchronize(kDevice);
  return values;
}

TEST(Cuda, ArenaOverDeviceMemoryGrowsOnce) {
  cuda::DeviceMemory memory;
  Arena arena(memory);
  std::size_t reserved = 0;
  for (int step = 0; step < 3; ++step) {
    Arena::Scope scope(arena);
    const auto sum = scope.take<float>(100000), addend = scope.take<float>(100000);
    const std::vector<float> ones(sum.size(), 1.0f);
    cuda::copy<float>(kDevice, ones, sum);
    cuda::copy<float>(kDevice, ones, addend);
    accumulate(kDevice, addend, sum);
    EXPECT_EQ(on_host<float>(sum), std::vector<float>(ones.size(), 2.0f));
    if (step == 0) reserved = arena.reserved_bytes();
    EXPECT_EQ(arena.reserved_bytes(), reserved);
  }
}

TEST(Cuda, ErrorsHoldTheCallAndTheNextCallWorks) {
  const std::string message = message_of<CudaError>([] { cuda::DeviceBuffer<std::byte>(std::size_t{1} << 60); });
  EXPECT_EQ(message.find("cudaMalloc(&address, "), 0u) << message;
  EXPECT_NE(message.find("): out of memory (cudaErrorMemoryAllocation)"), std::string::npos) << message;
  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
  EXPECT_NO_THROW(cuda::DeviceBuffer<float>(16));
}

TEST(Cuda, ADeviceThatIsNotThereIsRefused) {
  constexpr std::uint32_t kNowhere = 77;
  EXPECT_NE(message_of<CudaError>([] { cuda::DeviceBuffer<float>(16, kNowhere); }).find("cudaErrorInvalidDevice"),
            std::string::npos);
  const cuda::DeviceBuffer<float> values(16);
  EXPECT_NE(message_of<CudaError>([&] {
              divide({.backend = Backend::cuda, .device = kNowhere}, values.span(), 2.0f);
            }).find("cudaErrorInvalidDevice"),
            std::string::npos);
}

// What a graph can hold neither allocates nor waits, here and in every later step.
TEST(Cuda, OpsCanBeCapturedInAGraph) {
  constexpr std::size_t kCount = 10000;
  const cuda::Stream stream;
  const Exec exec{.backend = Backend::cuda, .stream = stream.get()};
  const cuda::DeviceBuffer<float> sum(kCount), addend(kCount), picked(1);
  const cuda::DeviceBuffer<std::uint32_t> index(1);
  cuda::copy<float>(exec, std::vector<float>(kCount, 1.0f), sum.span());
  cuda::copy<float>(exec, std::vector<float>{100.0f}, picked.span());
  cuda::copy<std::uint32_t>(exec, std::vector<std::uint32_t>{9000}, index.span());

  auto* const captured = static_cast<cudaStream_t>(stream.get());
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t step = nullptr;
  TW_CUDA(cudaStreamBeginCapture(captured, cudaStreamCaptureModeGlobal));
  scatter(exec, {index.span(), picked.span()}, {}, addend.span());
  accumulate(exec, addend.span(), sum.span());
  divide(exec, sum.span(), 2.0f);
  TW_CUDA(cudaStreamEndCapture(captured, &graph));
  TW_CUDA(cudaGraphInstantiate(&step, graph, 0));
  for (int i = 0; i < 2; ++i) TW_CUDA(cudaGraphLaunch(step, captured));
  cuda::synchronize(exec);
  std::vector<float> expected(kCount, 0.25f);
  expected[9000] = 75.25f;
  EXPECT_EQ(on_host<float>(sum.span()), expected);
  TW_CUDA(cudaGraphExecDestroy(step));
  TW_CUDA(cudaGraphDestroy(graph));
}

// Set three times before anybody looks; each kernel finds what was set before it.
TEST(Cuda, AStepRecordIsSetInStreamOrder) {
  const cuda::Stream stream;
  const Exec exec{.backend = Backend::cuda, .stream = stream.get()};
  cuda::StepRecord record(0);
  const PhiloxWords words{{5, 6}, {0, 8}};
  constexpr std::uint64_t kSteps[] = {7, 0x500000007, 0}, kCount = 1000;
  std::deque<cuda::DeviceBuffer<std::uint32_t>> drawn;
  for (const std::uint64_t step : kSteps) {
    record.set(exec, step);
    sample_strata(exec, {words, 0, kCount, record.get()}, drawn.emplace_back(kCount / 10).span());
  }
  cuda::synchronize(exec);
  for (std::size_t i = 0; i < std::size(kSteps); ++i) {
    std::vector<std::uint32_t> expected(kCount / 10);
    reference::sample_strata({}, {at_step(words, kSteps[i]), 0, kCount}, expected);
    EXPECT_EQ(on_host<std::uint32_t>(drawn[i].span()), expected) << kSteps[i];
  }
}

// As if the tensor had 2^32 elements of which only the last ones are in memory.
TEST(Cuda, SparseOpsReachElementsBeyondThirtyOneBits) {
  constexpr std::uint64_t kCount = std::uint64_t{1} << 32, kReal = 1024;
  const cuda::DeviceBuffer<float> last(kReal), values(3), gathered(3);
  const cuda::DeviceBuffer<std::uint32_t> indices(3);
  std::vector<float> expected(kReal);
  std::iota(expected.begin(), expected.end(), 1.0f);
  const std::vector<std::uint32_t> at{0xffffffffu - 1000, 0xffffffffu - 7, 0xffffffffu};
  const auto real = [](std::uint32_t index) { return index - (kCount - kReal); };
  cuda::copy<float>(kDevice, expected, last.span());
  cuda::copy<std::uint32_t>(kDevice, at, indices.span());
  cuda::copy<float>(kDevice, std::vector<float>{0.5f, 0.25f, 0.125f}, values.span());
  const std::span<float> all(last.span().data() - (kCount - kReal), kCount);

  gather(kDevice, all, {indices.span(), gathered.span()});
  EXPECT_EQ(on_host<float>(gathered.span()),
            (std::vector<float>{expected[real(at[0])], expected[real(at[1])], expected[real(at[2])]}));
  scatter(kDevice, {indices.span(), values.span()}, {Combine::add, 2.0f}, all);
  expected[real(at[0])] += 1.0f, expected[real(at[1])] += 0.5f, expected[real(at[2])] += 0.25f;
  EXPECT_EQ(on_host<float>(last.span()), expected);
  clear_at(kDevice, indices.span(), all);
  for (const std::uint32_t index : at) expected[real(index)] = 0.0f;
  EXPECT_EQ(on_host<float>(last.span()), expected);
}

}  // namespace
}  // namespace tw::test
