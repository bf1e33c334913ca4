// What benchmarks on a device stand on: facts, times by events, work captured in graphs.
#include <gtest/gtest.h>

#include <vector>

#include <tightwire/error.hpp>

#include "kernels/clear.hpp"
#include "kernels/cuda/device_buffer.hpp"
#include "kernels/cuda/facts.hpp"
#include "kernels/cuda/graph.hpp"
#include "kernels/cuda/stream.hpp"
#include "kernels/cuda/timer.hpp"
#include "kernels/reduce.hpp"

namespace tw {
namespace {

class CudaMeasure : public testing::Test {
 protected:
  CudaMeasure() { fill_zeros(); }

  void fill_zeros() {
    cuda::fill_zero(exec_, std::as_writable_bytes(sum_.span()));
    cuda::copy<float>(exec_, ones_, added_.span());
    cuda::synchronize(exec_);
  }
  void add() { accumulate(exec_, added_.span(), sum_.span()); }
  std::vector<float> sum() {
    std::vector<float> values(kCount);
    cuda::copy<float>(exec_, sum_.span(), values);
    cuda::synchronize(exec_);
    return values;
  }

  static constexpr std::size_t kCount = 1000;
  const std::vector<float> ones_ = std::vector<float>(kCount, 1.0f);
  const cuda::Stream stream_;
  const Exec exec_{.backend = Backend::cuda, .stream = stream_.get()};
  cuda::DeviceBuffer<float> sum_{kCount}, added_{kCount};
};

TEST_F(CudaMeasure, FactsNameTheDevice) {
  const cuda::DeviceFacts facts = cuda::device_facts(0);
  EXPECT_EQ(facts.architecture.substr(0, 3), "sm_");
  EXPECT_EQ(facts.interpreted, facts.name.find("ptxrun") != std::string::npos);
  EXPECT_GE(facts.memory_bytes, facts.free_bytes);
  EXPECT_GT(facts.cache_bytes, 0u);
}

TEST_F(CudaMeasure, DevicesThatAreNotThereAreNamed) {
  try {
    cuda::device_facts(63);
    FAIL() << "there are 64 devices";
  } catch (const CudaError& error) {
    EXPECT_NE(std::string(error.what()).find("no CUDA device 63"), std::string::npos) << error.what();
  }
  EXPECT_NO_THROW(cuda::device_facts(0)) << "an error stayed behind";
}

TEST_F(CudaMeasure, TimersTakeWhatIsBetween) {
  cuda::Timer timer;
  EXPECT_THROW(timer.seconds(), CudaError) << "nothing was recorded";
  timer.start(exec_);
  add();
  timer.stop(exec_);
  EXPECT_GE(timer.seconds(), 0);
  EXPECT_EQ(sum(), std::vector<float>(kCount, 1.0f)) << "the time was there before its work";
}

TEST_F(CudaMeasure, GraphsDoTheirWorkOnlyWhenLaunched) {
  add();  // loads its code
  fill_zeros();
  const cuda::Graph graph(exec_, [&] { add(), add(); });
  EXPECT_EQ(sum(), std::vector<float>(kCount, 0.0f));
  graph.launch(exec_);
  graph.launch(exec_);
  EXPECT_EQ(sum(), std::vector<float>(kCount, 4.0f));
}

TEST_F(CudaMeasure, StreamsAreUsableAfterACaptureThatThrew) {
  EXPECT_THROW(cuda::Graph(exec_,
                           [&] {
                             add();
                             throw UsageError("enough");
                           }),
               UsageError);
  add();
  EXPECT_EQ(sum(), std::vector<float>(kCount, 1.0f));
}

}  // namespace
}  // namespace tw
