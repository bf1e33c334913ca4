// The scale of a block of symmetric integer levels -levels..levels, from the block's norm:
//
//   inverse = levels / norm      code  = round(x * inverse)
//   unit    = norm / levels      value = code * unit
//
// A norm so small that `inverse` overflows (below about levels * 2.9e-39) is coded as zeros: unit = inverse = 0. A norm
// that is not finite gives inverse = 0 and a NaN unit, so that whoever decodes sees it.
#pragma once

#include "kernels/math/bits.hpp"

namespace tw {

struct BlockScale {
  float inverse;
  float unit;
};

constexpr BlockScale block_scale(float norm, float levels) {
  if (!is_finite(norm)) return {0.0f, kNan};
  const float inverse = norm == 0.0f ? 0.0f : levels / norm;
  if (norm == 0.0f || !is_finite(inverse)) return {0.0f, 0.0f};
  return {inverse, norm / levels};
}

/// Nearest integer, ties to even, of |value| < 2^22: adding 1.5 * 2^23 leaves no room for a fraction.
constexpr float round_small(float value) {
  constexpr float kMagic = 0x1.8p23f;
  return (value + kMagic) - kMagic;
}

}  // namespace tw
