// The optimiser against its formula in double, and learning-rate schedules.
#include "trainer/optimizer.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include <tightwire/error.hpp>

#include "kernels/base/float_mode.hpp"
#include "kernels/base/philox.hpp"
#include "kernels/math/bits.hpp"
#include "trainer/schedule.hpp"

namespace tw::trainer {
namespace {

std::vector<float> random_values(std::size_t count, std::uint32_t stream) {
  std::vector<float> values(count);
  for (std::uint32_t i = 0; i < count; ++i)
    values[i] = static_cast<float>(philox4x32({i, stream, 0, 0}, {1, 2})[0]) * 0x1p-31f - 1.0f;
  return values;
}

TEST(Sgd, FollowsItsFormula) {
  constexpr std::size_t kCount = 103;
  constexpr double kRate = 0.1, kMomentum = 0.9, kDecay = 0.01;
  const std::vector<Param> params{{"w", 0, 1, kCount, DType::f32}};
  Sgd sgd({}, params, {kMomentum, kDecay});
  std::vector<float> values = random_values(kCount, 0);
  std::vector<double> expected(values.begin(), values.end()), velocity(kCount);
  for (std::uint32_t step = 1; step <= 5; ++step) {
    const std::vector<float> gradient = random_values(kCount, step);
    sgd.apply({}, {0, 0, values, gradient}, kRate);
    for (std::size_t i = 0; i < kCount; ++i) {
      velocity[i] = kMomentum * velocity[i] + (gradient[i] + kDecay * expected[i]);
      expected[i] -= kRate * velocity[i];
    }
  }
  for (std::size_t i = 0; i < kCount; ++i) EXPECT_NEAR(values[i], expected[i], 2e-6) << i;
}

TEST(Sgd, GivesTheSameBitsInWhateverRuns) {
  constexpr std::size_t kCount = 1000;
  const std::vector<Param> params{{"w", 0, 10, 100, DType::f32}};
  Sgd whole({}, params, {}), cut({}, params, {});
  std::vector<float> values_whole = random_values(kCount, 0), values_cut = values_whole;
  for (std::uint32_t step = 1; step <= 3; ++step) {
    const std::vector<float> gradient = random_values(kCount, step);
    whole.apply({}, {0, 0, values_whole, gradient}, 0.1);
    for (const auto& [first, count] : {std::pair{700u, 300u}, std::pair{0u, 13u}, std::pair{13u, 687u}})
      cut.apply({}, {0, first, std::span(values_cut).subspan(first, count), std::span(gradient).subspan(first, count)},
                0.1);
  }
  EXPECT_EQ(values_whole, values_cut);
}

// Under either mode of the thread: 0.9 times the smallest denormal would be itself.
TEST(Sgd, LetsMomentumEndInZeros) {
  const std::vector<Param> params{{"w", 0, 1, 67, DType::f32}};
  for (const FloatMode set : {FloatMode::ieee, FloatMode::flush_denormals}) {
    const ScopedFloatMode mode(set);
    Sgd sgd({}, params, {});
    std::vector<float> values(67), gradient(67, -0x1p-120f), smallest(67, 0x1p-126f), none(67);
    sgd.apply({}, {0, 0, values, gradient}, 0.5);
    EXPECT_EQ(sgd.momentum(0)[66], -0x1p-120f);
    for (int step = 0; step < 100; ++step) sgd.apply({}, {0, 0, values, none}, 0.5);
    for (const float momentum : sgd.momentum(0)) EXPECT_EQ(magnitude_bits(momentum), 0u);
    sgd.apply({}, {0, 0, smallest, smallest}, 0.5);  // 0.5 of it is left: no longer normal
    EXPECT_EQ(magnitude_bits(smallest[66]), 0u);
  }
}

TEST(Sgd, RefusesRunsOutsideTheParameter) {
  const std::vector<Param> params{{"w", 0, 1, 4, DType::f32}};
  Sgd sgd({}, params, {});
  std::vector<float> values(4), gradient(4);
  EXPECT_THROW(sgd.apply({}, {0, 1, values, gradient}, 0.1), UsageError);
  EXPECT_THROW(sgd.apply({}, {0, 0, values, std::span(gradient).first(3)}, 0.1), UsageError);
}

TEST(Schedule, ConstantStaysAndCosineFallsToZero) {
  EXPECT_EQ(find_schedule("constant").factor(0.7), 1.0);
  const auto cosine = find_schedule("cosine").factor;
  EXPECT_DOUBLE_EQ(cosine(0), 1.0);
  EXPECT_DOUBLE_EQ(cosine(0.5), 0.5);
  EXPECT_DOUBLE_EQ(cosine(0.25), 0.5 + std::sqrt(0.125));
  EXPECT_THROW(find_schedule("step"), UsageError);
}

}  // namespace
}  // namespace tw::trainer
