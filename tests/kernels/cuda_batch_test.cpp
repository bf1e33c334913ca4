// Batches: jobs that share launches leave what they leave one after another, job by job, whatever else is in the batch.
#include <gtest/gtest.h>

#include <deque>
#include <vector>

#include "kernels/base/arena.hpp"
#include "kernels/cuda/batch.hpp"
#include "kernels/cuda/device_buffer.hpp"
#include "kernels/cuda/error.hpp"
#include "kernels/cuda/stream.hpp"
#include "kernels/reduce.hpp"
#include "kernels/select.hpp"
#include "tests/kernels/ops.hpp"
#include "tests/support/thrown.hpp"

namespace tw::test {
namespace {

/// A place with a batch and scratch memory.
class Place {
 public:
  Exec exec() { return {.backend = Backend::cuda, .arena = &arena_, .stream = stream_.get(), .batch = &batch_}; }
  const LaunchBatch& batch() const { return batch_; }
  const Arena& arena() const { return arena_; }

 private:
  cuda::Stream stream_;
  cuda::DeviceMemory memory_;
  Arena arena_{memory_};
  LaunchBatch batch_;
};

/// `jobs` operands of mixed sizes, empty ones and misaligned ones among them, a few of many blocks.
std::deque<Operands> mixed_operands(std::size_t jobs) {
  constexpr std::size_t kSmall = 5000, kManySmall = 50;
  std::deque<Operands> small, large, mixed;
  for_all_operands([&](const Operands& operands, const std::string&) {
    (operands.count <= kSmall ? small : large).push_back(operands);
  });
  for (std::size_t j = 0; j < jobs; ++j) {
    const bool is_large = j % kManySmall == 1 && !large.empty();
    mixed.push_back(is_large ? large[j / kManySmall % large.size()] : small[j * 7 % small.size()]);
  }
  return mixed;
}

/// Runs op j % ops on operands j, all in one batch, and compares each with the reference.
void expect_reference(const std::vector<TestedOp>& ops, Place& place, const std::deque<Operands>& operands) {
  std::vector<std::function<Outcome()>> started;
  cuda::BatchScope batch(place.exec());
  for (std::size_t j = 0; j < operands.size(); ++j) {
    batch.begin_job();
    started.push_back(ops[j % ops.size()].start(place.exec(), operands[j]));
  }
  batch.close();
  for (std::size_t j = 0; j < operands.size(); ++j) {
    const TestedOp& op = ops[j % ops.size()];
    ASSERT_EQ(difference(op.run({.backend = Backend::reference}, operands[j]), started[j]()), "")
        << op.name << ", job " << j << " of " << operands.size() << ": " << operands[j].count << " elements, offset "
        << operands[j].offset;
  }
}

class CudaBatchedOp : public ::testing::TestWithParam<TestedOp> {};

TEST_P(CudaBatchedOp, GivesTheReferencesBytes) {
  Place place;
  for (const std::size_t jobs : {0, 1, 2, 60, 200}) expect_reference({GetParam()}, place, mixed_operands(jobs));
}

INSTANTIATE_TEST_SUITE_P(Every, CudaBatchedOp, ::testing::ValuesIn(ops_under_test()),
                         [](const auto& param) { return param.param.name; });

TEST(CudaBatches, HoldEveryOpAtOnce) {
  Place place;
  const std::vector<TestedOp> ops = ops_under_test();
  expect_reference(ops, place, mixed_operands(3 * ops.size()));
}

/// Sums on the device, one a job, and what is added to them.
class CudaBatch : public ::testing::Test {
 protected:
  static constexpr std::size_t kCount = 3000, kJobs = 5;

  CudaBatch() { restart(); }
  void restart() {
    std::vector<float> ones(sums_.span().size(), 1.0f), threes(kCount, 3.0f);
    cuda::copy<float>(exec(), ones, sums_.span());
    cuda::copy<float>(exec(), threes, addend_.span());
  }

  Exec exec() { return place_.exec(); }
  std::span<float> sum(std::size_t job) { return sums_.span().subspan(job * kCount, kCount); }
  void add(std::size_t job) { accumulate(exec(), addend_.span(), sum(job)); }
  void halve(std::size_t job) { divide(exec(), sum(job), 2.0f); }
  void expect_sum(std::size_t job, float expected) {
    std::vector<float> left(kCount);
    cuda::copy<float>(exec(), sum(job), left);
    cuda::synchronize(exec());
    EXPECT_EQ(left, std::vector<float>(kCount, expected)) << "job " << job;
  }

  Place place_;
  cuda::DeviceBuffer<float> sums_{kCount * kJobs}, addend_{kCount};
};

// Each job begins with another kernel, and goes on in another order.
TEST_F(CudaBatch, KeepsTheOrderWithinAJob) {
  cuda::BatchScope batch(exec());
  batch.begin_job(), add(0), halve(0), add(0);
  batch.begin_job(), halve(1), add(1);
  batch.begin_job(), add(2), add(2), add(2), halve(2);
  batch.begin_job(), halve(3), halve(3), add(3), halve(3);
  batch.begin_job();
  batch.close();
  expect_sum(0, 5.0f);
  expect_sum(1, 3.5f);
  expect_sum(2, 5.0f);
  expect_sum(3, 1.625f);
  expect_sum(4, 1.0f);
}

// What a job did before its inner jobs, and does after them, comes before and after them all.
TEST_F(CudaBatch, JobsConsistOfJobs) {
  cuda::BatchScope batch(exec());
  for (std::size_t pair = 0; pair < 4; pair += 2) {
    batch.begin_job();
    add(pair), add(pair + 1);
    cuda::BatchScope inner(exec());
    inner.begin_job(), halve(pair), add(pair), halve(pair);
    inner.begin_job(), halve(pair + 1);
    inner.close();
    accumulate(exec(), sum(pair), sum(pair + 1));
    cuda::BatchScope another(exec());
    another.begin_job(), halve(pair + 1);
    another.begin_job(), halve(pair);
  }
  batch.begin_job(), halve(4);
  batch.close();
  for (std::size_t pair = 0; pair < 4; pair += 2) {  // (4 / 2 + 3) / 2 = 2.5, and 2 + 2.5; halved
    expect_sum(pair, 1.25f);
    expect_sum(pair + 1, 2.25f);
  }
  expect_sum(4, 0.5f);
}

TEST_F(CudaBatch, LaunchesNothingBeforeItIsClosedAndNothingWhereItIsNot) {
  {
    cuda::BatchScope batch(exec());
    add(0);
  }
  expect_sum(0, 1.0f);
  cuda::BatchScope batch(exec());
  add(1);
  batch.close();
  batch.close();
  expect_sum(0, 1.0f);
  expect_sum(1, 4.0f);
  add(1);
  expect_sum(1, 7.0f);
}

TEST_F(CudaBatch, IsEmptyAndUsableAfterALaunchThatFailed) {
  Exec nowhere = exec();
  nowhere.device = 77;
  {
    cuda::BatchScope batch(nowhere);
    add(0);
    EXPECT_NE(message_of<CudaError>([&] { batch.close(); }).find("cudaSetDevice"), std::string::npos);
  }
  EXPECT_FALSE(place_.batch().is_open());
  cuda::BatchScope batch(exec());
  add(1);
  batch.close();
  expect_sum(0, 1.0f);
  expect_sum(1, 4.0f);
}

TEST_F(CudaBatch, RefusesWhatWouldOvertakeItsKernels) {
  cuda::BatchScope batch(exec());
  EXPECT_NE(message_of<UsageError>([&] { restart(); }).find("a copy would"), std::string::npos);
  EXPECT_NE(message_of<UsageError>([&] { fill_zero(exec(), std::as_writable_bytes(sum(0))); }).find("zeroing would"),
            std::string::npos);
}

TEST_F(CudaBatch, DoesNothingOnTheHost) {
  LaunchBatch gathered;
  std::vector<float> sum(kCount, 1.0f);
  const Exec host{.backend = Backend::simd, .batch = &gathered};
  cuda::BatchScope batch(host);
  divide(host, sum, 2.0f);
  EXPECT_EQ(sum.front(), 0.5f);
  EXPECT_FALSE(gathered.is_open());
}

// Selections of several sizes, with scratch memory of their own for as long as the batch is open.
class CudaBatchOfSelections : public ::testing::Test {
 protected:
  static constexpr std::size_t kRoom = 30000, kJobs = 6, kSelected = 50;

  std::span<float> values(std::size_t job) { return values_.span().subspan(job * kRoom, 5000 * (job + 1)); }
  SparseBody body(std::size_t job) {
    return {indices_.span().subspan(job * kSelected, kSelected), picked_.span().subspan(job * kSelected, kSelected)};
  }
  void select_all() {
    cuda::BatchScope batch(place_.exec());
    for (std::size_t job = 0; job < kJobs; ++job) {
      batch.begin_job();
      select_largest(place_.exec(), values(job), body(job));
    }
    batch.close();
  }
  void provide(std::uint32_t variant) {
    all_ = make_input(Family::gaussian, kRoom * kJobs, DType::f32, variant);
    cuda::copy<float>(place_.exec(), all_, values_.span());
  }
  void expect_reference() {
    std::vector<std::uint32_t> expected(kSelected), left(kSelected);
    std::vector<float> picked(kSelected);
    for (std::size_t job = 0; job < kJobs; ++job) {
      const std::span<const float> x = std::span(all_).subspan(job * kRoom, values(job).size());
      tw::select_largest({.backend = Backend::reference}, x, {expected, picked});
      cuda::copy<std::uint32_t>(place_.exec(), body(job).indices, left);
      cuda::synchronize(place_.exec());
      EXPECT_EQ(left, expected) << "job " << job;
    }
  }

  Place place_;
  std::vector<float> all_;
  cuda::DeviceBuffer<float> values_{kRoom * kJobs}, picked_{kSelected * kJobs};
  cuda::DeviceBuffer<std::uint32_t> indices_{kSelected * kJobs};
};

TEST_F(CudaBatchOfSelections, AllocatesNothingMoreOnceItHasGrown) {
  std::size_t reserved = 0, scratch = 0;
  for (std::uint32_t step = 0; step < 5; ++step) {
    provide(step);
    select_all();
    expect_reference();
    if (step == 0) reserved = place_.batch().reserved_bytes(), scratch = place_.arena().reserved_bytes();
    for (std::size_t i = 0; i < 50; ++i) select_largest(place_.exec(), values(0), body(0));
    EXPECT_EQ(place_.batch().reserved_bytes(), reserved);
    EXPECT_EQ(place_.arena().reserved_bytes(), scratch);
  }
}

TEST_F(CudaBatchOfSelections, CanBeCapturedInAGraph) {
  provide(0);
  select_all();  // the arena has grown
  auto* const captured = static_cast<cudaStream_t>(place_.exec().stream);
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t step = nullptr;
  TW_CUDA(cudaStreamBeginCapture(captured, cudaStreamCaptureModeGlobal));
  select_all();
  TW_CUDA(cudaStreamEndCapture(captured, &graph));
  TW_CUDA(cudaGraphInstantiate(&step, graph, 0));
  for (std::uint32_t variant = 1; variant < 4; ++variant) {
    provide(variant);
    TW_CUDA(cudaGraphLaunch(step, captured));
    expect_reference();
  }
  TW_CUDA(cudaGraphExecDestroy(step));
  TW_CUDA(cudaGraphDestroy(graph));
}

}  // namespace
}  // namespace tw::test
