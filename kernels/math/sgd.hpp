// One element of stochastic gradient descent, for host and device.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/math/bits.hpp"

namespace tw {

inline constexpr std::uint32_t kSmallestNormalBits = 0x00800000u;

/// Denormals as zeros of their sign.
constexpr float flushed(float value) {
  const float zero = std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) & kSignBit);
  return magnitude_bits(value) < kSmallestNormalBits ? zero : value;
}

constexpr float next_velocity(float velocity, float momentum, float gradient, float decay, float value) {
  return flushed(momentum * velocity + (gradient + decay * value));
}
constexpr float next_value(float value, float rate, float velocity) { return flushed(value - rate * velocity); }

}  // namespace tw
