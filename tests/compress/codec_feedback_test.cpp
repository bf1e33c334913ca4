// The contract of codecs with memories: one pass equals its three steps bit for bit, nothing is lost over steps, and a
// step that is rolled back leaves no trace.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "compress/registry.hpp"
#include "tests/compress/codec_harness.hpp"

namespace tw::test {
namespace {

TEST(CodecFeedback, OnePassEqualsItsSteps) {
  for_each_case(kFamilies, [](const Case& c) {
    const auto x = make_input(c.family, c.count, c.dtype);
    const auto gaussian = make_input(Family::gaussian, c.count, DType::f32, 9);
    for (const std::string& spec : specs_under_test()) {
      SCOPED_TRACE(spec);
      Coding coding(spec, make_param(c.count, c.dtype), c.backend);
      if (coding.codec().fused_feedback() == nullptr) continue;
      for (const float weight : {0.0f, 0.125f}) {
        std::vector<float> residual(gaussian);
        for (float& value : residual) value *= weight;
        const auto stepwise = coding.encode_stepwise(x, residual);
        const auto status = coding.take_status();
        const auto fused = coding.encode_fused(x, residual);
        EXPECT_EQ(stepwise.body, fused.body);
        EXPECT_TRUE(same_values(stepwise.residual, fused.residual));
        EXPECT_EQ(status, coding.take_status());
      }
    }
  });
}

// Every contractive spec with "+ef", driven through the Compressor and its State.
template <class Visit>
void for_each_feedback(std::uint64_t count, Visit visit) {
  for (const Backend backend : backends_under_test())
    for (const std::string& spec : specs_under_test()) {
      SCOPED_TRACE(spec);
      const Param param = make_param(count);
      if (!Coding(spec, param).traits().contractive) continue;
      Coding coding(spec + "+ef", param, backend);
      coding.compressor().declare_slots(coding.state(), coding.param(), Hop::worker, 0, count);
      visit(coding);
    }
}

std::vector<float> compress_step(Coding& coding, std::span<const float> gradient, std::uint64_t step) {
  return coding.compress(gradient, {kKey.seed, step, kKey.rank, Hop::worker});
}

// What was delivered and what is still held is all that was put in: the sum telescopes.
TEST(CodecFeedback, Telescopes) {
  constexpr std::uint64_t kCount = 3000, kSteps = 20;
  for (const Family family : {Family::gaussian, Family::sparse, Family::ties})
    for_each_feedback(kCount, [&](Coding& coding) {
      std::vector<double> put_in(kCount), delivered(kCount);
      for (std::uint32_t step = 0; step < kSteps; ++step) {
        const auto gradient = make_input(family, kCount, DType::f32, step);
        const auto own = compress_step(coding, gradient, step);
        coding.state().commit();
        for (std::size_t i = 0; i < kCount; ++i) {
          put_in[i] += static_cast<double>(gradient[i]);
          delivered[i] += static_cast<double>(own[i]);
        }
      }
      const auto residual = coding.residual();
      double worst = 0;
      for (std::size_t i = 0; i < kCount; ++i)
        worst = std::max(worst, std::abs(put_in[i] - delivered[i] - static_cast<double>(residual[i])));
      EXPECT_LT(worst, 1e-4);
    });
}

// With a constant gradient the mean of what is delivered comes as near to it as the residual over the steps allows:
// feedback repairs what the codec loses.
TEST(CodecFeedback, DeliversAConstantGradientOverTime) {
  constexpr std::uint64_t kCount = 1000, kSteps = 400;
  const auto gradient = make_input(Family::gaussian, kCount);
  for_each_feedback(kCount, [&](Coding& coding) {
    std::vector<double> delivered(kCount);
    for (std::uint32_t step = 0; step < kSteps; ++step) {
      const auto own = compress_step(coding, gradient, step);
      coding.state().commit();
      for (std::size_t i = 0; i < kCount; ++i) delivered[i] += static_cast<double>(own[i]);
    }
    const bool slow = coding.codec().max_bytes({&coding.param(), 0, kCount}) < kCount / 10;  // 1 % a step
    double error = 0;
    for (std::size_t i = 0; i < kCount; ++i)
      error += std::pow(delivered[i] / kSteps - static_cast<double>(gradient[i]), 2);
    EXPECT_LT(error, squared_norm(gradient) * (slow ? 0.3 : 0.02));
  });
}

TEST(CodecFeedback, ARolledBackStepLeavesNoTrace) {
  constexpr std::uint64_t kCount = 2000;
  for_each_feedback(kCount, [&](Coding& coding) {
    const auto first = make_input(Family::gaussian, kCount, DType::f32, 1);
    compress_step(coding, first, 1);
    coding.state().commit();
    const auto residual = coding.residual();
    compress_step(coding, make_input(Family::nan, kCount, DType::f32, 2), 2);
    coding.state().rollback();
    EXPECT_EQ(residual, coding.residual());
    const auto second = make_input(Family::gaussian, kCount, DType::f32, 3);
    const auto again = compress_step(coding, second, 3);
    coding.state().rollback();
    EXPECT_EQ(again, compress_step(coding, second, 3));
  });
}

// One pass inside the Compressor gives what its steps give on another backend's reference.
TEST(CodecFeedback, TheCompressorTakesTheOnePass) {
  constexpr std::uint64_t kCount = 5000;
  for_each_feedback(kCount, [&](Coding& coding) {
    std::vector<float> residual(kCount, 0.0f);
    for (std::uint32_t step = 0; step < 3; ++step) {
      const auto gradient = make_input(Family::heavy, kCount, DType::f32, step);
      compress_step(coding, gradient, kKey.step);
      coding.state().commit();
      residual = coding.encode_stepwise(gradient, residual).residual;
      EXPECT_TRUE(same_values(residual, coding.residual()));
    }
  });
}

}  // namespace
}  // namespace tw::test
