// Selection on inputs made against its shortcuts: the sample sees too much or too little, candidates find no room,
// arrays of a call lie differently. Equal to the reference all the same. And nothing of it waits for the host.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "kernels/base/arena.hpp"
#include "kernels/base/philox.hpp"
#include "kernels/cuda/device_buffer.hpp"
#include "kernels/cuda/error.hpp"
#include "kernels/cuda/stream.hpp"
#include "kernels/math/strata.hpp"
#include "kernels/scatter.hpp"
#include "kernels/select.hpp"
#include "tests/support/inputs.hpp"
#include "tests/support/thrown.hpp"

namespace tw::test {
namespace {

constexpr std::size_t kCount = 100001, kSelected = 1000;

struct Selected {
  std::vector<std::uint32_t> indices = std::vector<std::uint32_t>(kSelected);
  std::vector<float> values = std::vector<float>(kSelected);
  std::vector<float> residual = std::vector<float>(kCount);
  bool operator==(const Selected&) const = default;
};

// Runs both forms, feedback last; each array begins at its own distance from 16 bytes.
class CudaSelect : public ::testing::Test {
 protected:
  static constexpr std::size_t kSlack = 4;

  Exec exec() { return {.backend = Backend::cuda, .arena = &arena_, .stream = stream_.get()}; }
  std::span<float> values(std::size_t offset = 0) { return values_.span().subspan(offset, kCount); }
  std::span<float> residual_in(std::size_t offset = 0) { return in_.span().subspan(offset, kCount); }
  Feedback feedback(std::size_t in = 0, std::size_t out = 0) {
    return {residual_in(in), out_.span().subspan(out, kCount)};
  }
  SparseBody body() { return {indices_.span(), picked_.span()}; }

  // Zeros for the residual.
  Selected fetch_pairs() {
    Selected left;
    cuda::copy<std::uint32_t>(exec(), indices_.span(), left.indices);
    cuda::copy<float>(exec(), picked_.span(), left.values);
    cuda::synchronize(exec());
    return left;
  }
  Selected fetch(std::size_t out = 0) {
    Selected left = fetch_pairs();
    cuda::copy<float>(exec(), feedback(0, out).residual_out, left.residual);
    cuda::synchronize(exec());
    return left;
  }

  void expect_reference(const std::vector<float>& x) {
    const std::vector<float> residual(kCount, 0.25f);
    Selected expected, plain;
    select_largest({.backend = Backend::reference}, x, {plain.indices, plain.values});
    select_largest_feedback({.backend = Backend::reference}, x, {residual, expected.residual},
                            {expected.indices, expected.values});
    cuda::copy<float>(exec(), x, values());
    cuda::copy<float>(exec(), residual, residual_in());
    select_largest(exec(), values(), body());
    EXPECT_TRUE(fetch_pairs() == plain);
    select_largest_feedback(exec(), values(), feedback(), body());
    EXPECT_TRUE(fetch() == expected);
  }

 private:
  cuda::Stream stream_;
  cuda::DeviceMemory memory_;
  Arena arena_{memory_};
  cuda::DeviceBuffer<float> values_{kCount + kSlack}, in_{kCount + kSlack}, out_{kCount + kSlack}, picked_{kSelected};
  cuda::DeviceBuffer<std::uint32_t> indices_{kSelected};
};

template <class Value>
std::vector<float> filled(Value value) {
  std::vector<float> values(kCount);
  for (std::size_t i = 0; i < kCount; ++i) values[i] = value(i);
  return values;
}

TEST_F(CudaSelect, AscendingAndDescendingMagnitudes) {
  expect_reference(filled([](std::size_t i) { return static_cast<float>(i); }));
  expect_reference(filled([](std::size_t i) { return -static_cast<float>(kCount - i); }));
}

TEST_F(CudaSelect, AllEqual) {
  expect_reference(filled([](std::size_t i) { return i % 2 == 0 ? 1.5f : -1.5f; }));
}

// What exceeds the ties is fewer than are selected and more than one block's; ties begin late.
TEST_F(CudaSelect, TiesFillUpWhatLargerOnesLeave) {
  expect_reference(filled([](std::size_t i) { return i % 150 == 0 ? 3.0f : i > kCount / 2 ? -0.1f : 0.0f; }));
}

// 31 lines are large, 992 elements: where the sample sees three of them, fewer than are selected reach its bound.
TEST_F(CudaSelect, ClusteredMagnitudesFoolTheSample) {
  constexpr std::size_t kLine = 32, kLarge = 31;
  for (std::uint32_t variant = 0; variant < 40; ++variant) {
    const PhiloxWords words{{variant, 1}, {2, 3}};
    std::vector<float> x = filled([](std::size_t i) { return 1e-6f * static_cast<float>(i * 7919 % 1000); });
    for (std::size_t j = 0; j < kLarge; ++j) {
      const std::size_t line = drawn(stratum(j, kLarge, kCount / kLine), words.word(j));
      for (std::size_t i = 0; i < kLine; ++i) x[line * kLine + i] = static_cast<float>(1000 + 7 * i + j);
    }
    expect_reference(x);
  }
}

// Of a tile, of a tile where p does not begin on 16 bytes, and of many.
TEST_F(CudaSelect, ArraysAtDifferentDistancesFromSixteenBytes) {
  for (const std::size_t count : {std::size_t{4090}, std::size_t{4096}, kCount}) {
    const std::vector<float> x = make_input(Family::gaussian, count), residual = make_input(Family::heavy, count);
    Selected expected;
    expected.residual.resize(count);
    select_largest_feedback({.backend = Backend::reference}, x, {residual, expected.residual},
                            {expected.indices, expected.values});
    for (const auto& [at, in, out] :
         std::vector<std::array<std::size_t, 3>>{{0, 0, 1}, {0, 1, 0}, {2, 3, 1}, {3, 3, 0}}) {
      const Feedback arrays{residual_in(in).first(count), feedback(in, out).residual_out.first(count)};
      cuda::copy<float>(exec(), x, values(at).first(count));
      cuda::copy<float>(exec(), residual, residual_in(in).first(count));
      select_largest_feedback(exec(), values(at).first(count), arrays, body());
      Selected got = fetch(out);
      got.residual.resize(count);
      EXPECT_TRUE(got == expected) << count << " at " << at << in << out;
    }
  }
}

TEST_F(CudaSelect, NeedsScratchMemory) {
  EXPECT_NE(message_of<UsageError>([&] {
              select_largest({.backend = Backend::cuda}, values(), body());
            }).find("set Exec::arena"),
            std::string::npos);
}

// More lines than one block samples, and more candidates than one block looks at.
TEST_F(CudaSelect, ManyBlocksSampleAndCountTogether) {
  constexpr std::size_t kMany = 400003, kPicked = 20000;
  const std::vector<float> x = make_input(Family::gaussian, kMany);
  std::vector<std::uint32_t> expected(kPicked), indices(kPicked);
  std::vector<float> expected_values(kPicked), picked(kPicked);
  select_largest({.backend = Backend::reference}, x, {expected, expected_values});
  cuda::DeviceBuffer<float> device_x(kMany), device_picked(kPicked);
  cuda::DeviceBuffer<std::uint32_t> device_indices(kPicked);
  cuda::copy<float>(exec(), x, device_x.span());
  for (int repetition = 0; repetition < 2; ++repetition) {
    select_largest(exec(), device_x.span(), {device_indices.span(), device_picked.span()});
    cuda::copy<std::uint32_t>(exec(), device_indices.span(), indices);
    cuda::copy<float>(exec(), device_picked.span(), picked);
    cuda::synchronize(exec());
    EXPECT_EQ(indices, expected);
    EXPECT_EQ(picked, expected_values);
  }
}

// The graph decides anew in each launch: few candidates, then ties that there is no room for.
TEST_F(CudaSelect, CanBeCapturedInAGraph) {
  auto* const captured = static_cast<cudaStream_t>(exec().stream);
  cuda::copy<float>(exec(), std::vector<float>(kCount), values());
  select_largest(exec(), values(), body());  // the arena has grown
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t step = nullptr;
  TW_CUDA(cudaStreamBeginCapture(captured, cudaStreamCaptureModeGlobal));
  select_largest(exec(), values(), body());
  TW_CUDA(cudaStreamEndCapture(captured, &graph));
  TW_CUDA(cudaGraphInstantiate(&step, graph, 0));
  for (const Family family : {Family::gaussian, Family::ties, Family::heavy}) {
    const std::vector<float> x = make_input(family, kCount);
    Selected expected;
    select_largest({.backend = Backend::reference}, x, {expected.indices, expected.values});
    cuda::copy<float>(exec(), x, values());
    TW_CUDA(cudaGraphLaunch(step, captured));
    EXPECT_TRUE(fetch_pairs() == expected) << name_of(family);
  }
  TW_CUDA(cudaGraphExecDestroy(step));
  TW_CUDA(cudaGraphDestroy(graph));
}

// ptxrun has as many multiprocessors as the environment says when kernels are launched; a GPU has what it has.
class Multiprocessors {
 public:
  explicit Multiprocessors(const char* count) {
    if (const char* before = std::getenv(kName)) before_ = before;
    ::setenv(kName, count, 1);
  }
  ~Multiprocessors() { before_ ? ::setenv(kName, before_->c_str(), 1) : ::unsetenv(kName); }

 private:
  static constexpr const char* kName = "PTXRUN_MULTIPROCESSORS";
  std::optional<std::string> before_;
};

// More blocks than twice what a block has threads: the last one sums their counts in three rounds. Nearly all zeros, of
// which the first two are selected: elements are looked at once.
TEST_F(CudaSelect, CountsOfManyBlocksAreSummedInRounds) {
  const Multiprocessors as_many_as_a_large_gpu("132");
  constexpr std::uint32_t kElementsABlock = 16 * 4096, kMany = (2 * 256 + 1) * kElementsABlock;
  std::vector<std::uint32_t> expected{0, 1};
  for (std::uint32_t i = 5000; i < kMany; i += 20000) expected.push_back(i);
  const std::size_t k = expected.size();
  const cuda::DeviceBuffer<float> many(kMany), ones(k - 2), picked(k);
  const cuda::DeviceBuffer<std::uint32_t> at(k - 2), indices(k);
  cuda::fill_zero(exec(), std::as_writable_bytes(many.span()));
  cuda::copy<float>(exec(), std::vector<float>(k - 2, 1.0f), ones.span());
  cuda::copy<std::uint32_t>(exec(), std::span(expected).subspan(2), at.span());
  scatter(exec(), {at.span(), ones.span()}, {Combine::add, 1.0f}, many.span());
  select_largest(exec(), many.span(), {indices.span(), picked.span()});
  std::vector<std::uint32_t> left(k);
  cuda::copy<std::uint32_t>(exec(), indices.span(), left);
  cuda::synchronize(exec());
  EXPECT_EQ(left, expected);
}

}  // namespace
}  // namespace tw::test
