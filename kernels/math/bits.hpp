// Floats as bits. Magnitudes compare as integers, so NaN is the largest by itself and no comparison depends on the
// floating-point mode. constexpr, for host and device.
#pragma once

#include <bit>
#include <cstdint>

namespace tw {

inline constexpr std::uint32_t kSignBit = 0x80000000u;
inline constexpr std::uint32_t kInfinityBits = 0x7f800000u;
inline constexpr std::uint32_t kNanBits = 0x7fc00000u;  ///< the one NaN that is ever written
inline constexpr float kNan = std::bit_cast<float>(kNanBits);

constexpr std::uint32_t magnitude_bits(float value) { return std::bit_cast<std::uint32_t>(value) & ~kSignBit; }
constexpr float magnitude(float value) { return std::bit_cast<float>(magnitude_bits(value)); }
constexpr bool is_negative(float value) { return (std::bit_cast<std::uint32_t>(value) & kSignBit) != 0; }
constexpr bool is_finite(float value) { return magnitude_bits(value) < kInfinityBits; }
constexpr float canonical(float value) { return magnitude_bits(value) > kInfinityBits ? kNan : value; }

}  // namespace tw
