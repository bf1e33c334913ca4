#include "kernels/base/half.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace tw {
namespace {

// The nearest of all finite 16-bit values in double arithmetic, ties to the even code: slow and obviously right.
template <class ToFloat>
std::uint16_t nearest_by_search(float value, std::uint16_t largest_finite, ToFloat to_float) {
  const double magnitude = std::fabs(static_cast<double>(value));
  std::uint32_t low = 0, high = largest_finite;
  while (low < high) {  // the largest code whose value is <= magnitude
    const std::uint32_t middle = (low + high + 1) / 2;
    if (to_float(static_cast<std::uint16_t>(middle)) <= magnitude)
      low = middle;
    else
      high = middle - 1;
  }
  const double below = to_float(static_cast<std::uint16_t>(low));
  const double step = low == largest_finite ? below - to_float(static_cast<std::uint16_t>(low - 1))
                                            : to_float(static_cast<std::uint16_t>(low + 1)) - below;
  const double up = below + step;  // beyond the largest: the next power of two, which is infinity's code
  const bool round_up = magnitude - below > up - magnitude || (magnitude - below == up - magnitude && (low & 1u));
  return static_cast<std::uint16_t>((std::signbit(value) ? 0x8000u : 0u) | (low + (round_up ? 1u : 0u)));
}

template <class Check>
void over_many_floats(Check check) {
  std::mt19937 random(3);
  for (int i = 0; i < 300'000; ++i) {
    const float value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (std::isfinite(value)) check(value);
  }
  for (float value : {0.0f, -0.0f, 65504.0f, 65519.996f, 65520.0f, 0x1p-24f, 0x1p-25f, 0x1.8p-25f, 0x1p-14f,
                      std::numeric_limits<float>::max(), std::numeric_limits<float>::denorm_min()})
    check(value);
}

TEST(Half, BfloatRoundsToNearestEven) {
  over_many_floats([](float v) {
    ASSERT_EQ(bf16_from_float(v), nearest_by_search(v, 0x7f7f, [](std::uint16_t b) { return float_from_bf16(b); }))
        << v;
  });
}

TEST(Half, Binary16RoundsToNearestEven) {
  over_many_floats([](float v) {
    if (std::fabs(v) < 131072.0f)
      ASSERT_EQ(f16_from_float(v), nearest_by_search(v, 0x7bff, [](std::uint16_t b) { return float_from_f16(b); }))
          << v;
    else
      ASSERT_EQ(f16_from_float(v) & 0x7fff, 0x7c00) << v;
  });
}

TEST(Half, EveryCodeSurvivesTheRoundTripAndNanIsCanonical) {
  for (std::uint32_t code = 0; code < 65536; ++code) {
    const auto bits = static_cast<std::uint16_t>(code);
    if (std::isnan(float_from_f16(bits))) {
      EXPECT_EQ(f16_from_float(float_from_f16(bits)), 0x7e00);
    } else {
      EXPECT_EQ(f16_from_float(float_from_f16(bits)), bits);
    }
    if (std::isnan(float_from_bf16(bits))) {
      EXPECT_EQ(bf16_from_float(float_from_bf16(bits)), 0x7fc0);
    } else {
      EXPECT_EQ(bf16_from_float(float_from_bf16(bits)), bits);
    }
  }
}

}  // namespace
}  // namespace tw
