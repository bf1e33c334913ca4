// f32 to 16 bits as it travels: round to nearest even, finite values beyond the largest of the target saturate there,
// Inf stays Inf, NaN becomes the one NaN. So a finite gradient never decodes to Inf.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "kernels/base/half.hpp"
#include "kernels/math/bits.hpp"

namespace tw {

/// `value` with its magnitude limited to `largest` (bits of a positive f32) unless it is not finite.
constexpr float saturated(float value, std::uint32_t largest) {
  if (!is_finite(value)) return value;
  const std::uint32_t sign = std::bit_cast<std::uint32_t>(value) & kSignBit;
  return std::bit_cast<float>(sign | std::min(magnitude_bits(value), largest));
}

struct HalfCast {
  static constexpr std::uint32_t kLargest = 0x477fe000u;  ///< 65504
  static constexpr std::uint16_t narrow(float value) { return f16_from_float(saturated(value, kLargest)); }
  static constexpr float widen(std::uint16_t bits) { return float_from_f16(bits); }
};

struct BrainCast {
  static constexpr std::uint32_t kLargest = 0x7f7f0000u;  ///< about 3.39e38
  static constexpr std::uint16_t narrow(float value) { return bf16_from_float(saturated(value, kLargest)); }
  static constexpr float widen(std::uint16_t bits) { return float_from_bf16(bits); }
};

}  // namespace tw
