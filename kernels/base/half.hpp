// IEEE binary16 and bfloat16, converted by integer arithmetic and exact or once-rounded operations, so that every
// target gives the same bits: round to nearest even, overflow to infinity, every NaN becomes the one quiet NaN (7e00,
// 7fc0). constexpr, for host and device.
#pragma once

#include <bit>
#include <cstdint>

namespace tw {

/// f32 -> bfloat16 bits, round to nearest even.
constexpr std::uint16_t bf16_from_float(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fc0;
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

/// bfloat16 bits -> f32, exact.
constexpr float float_from_bf16(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

/// f32 -> binary16 bits, round to nearest even, denormals kept.
constexpr std::uint16_t f16_from_float(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000u;
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return 0x7e00;
  if (magnitude >= 0x47800000u) return static_cast<std::uint16_t>(sign | 0x7c00u);  // 2^16 and above
  // Below 2^-14 denormal, units of 2^-24: those of 0.5, so that adding it rounds. Else rebiased, 127 -> 15; a carry out
  // of the mantissa raises the exponent, up to infinity.
  const std::uint32_t half =
      magnitude < 0x38800000u
          ? std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - std::bit_cast<std::uint32_t>(0.5f)
          : (magnitude - (112u << 23) + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  return static_cast<std::uint16_t>(sign | half);
}

/// binary16 bits -> f32, exact; NaNs become 7fc00000.
constexpr float float_from_f16(std::uint16_t bits) {
  const std::uint32_t sign = std::uint32_t{bits & 0x8000u} << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1fu;
  const std::uint32_t mantissa = bits & 0x3ffu;
  if (exponent == 31) return std::bit_cast<float>(mantissa ? 0x7fc00000u : sign | 0x7f800000u);
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
}

}  // namespace tw
