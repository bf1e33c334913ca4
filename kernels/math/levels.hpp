// Codes of values: integer levels of a block's scale (kernels/math/scale.hpp), for host and device.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/math/bits.hpp"
#include "kernels/math/scale.hpp"

namespace tw {

/// The nearest level of -levels..levels, ties to even.
constexpr float nearest_level(float value, float inverse, float levels) {
  return std::clamp(round_small(value * inverse), -levels, levels);
}

/// The level below or above, as a random word says: unbiased.
constexpr std::int32_t dithered_level(float value, float inverse, std::int32_t levels, std::uint32_t word) {
  const float scaled = magnitude(value) * inverse;
  const auto floor = static_cast<std::int32_t>(scaled);
  const float chance = static_cast<float>(word >> 8) * 0x1p-24f;
  const std::int32_t level = std::min(floor + (chance < scaled - static_cast<float>(floor) ? 1 : 0), levels);
  return is_negative(value) ? -level : level;
}

}  // namespace tw
