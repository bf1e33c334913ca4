// Operands that many ops share.
//
// Unless an op says otherwise: spans of f32 that belong to tensors are aligned to 4 bytes; arrays of a body (scales,
// codes, signs, indices, values) begin on 16 bytes; an op writes exactly the elements of the spans it is given; inputs
// and outputs do not overlap.
#pragma once

#include <cstdint>
#include <span>

namespace tw {

/// How decoded values meet what is there: out = value, or out = out + value.
enum class Combine : std::uint8_t { assign, add };

/// What decoding does with a value besides: it is multiplied by `scale` (the op gives the exact expression). Which NaN
/// is left where the result is one differs between backends: such a step never commits.
struct Blend {
  Combine combine = Combine::assign;
  float scale = 1.0f;
};

/// Error feedback, fused: encode p = values + residual_in instead of values, and leave residual_out = p - value, where
/// value is what the body decodes to. Both have the length of the values and do not overlap. Which NaN is left where
/// the value is one is not specified: such a step never commits.
struct Feedback {
  std::span<const float> residual_in;
  std::span<float> residual_out;
};

}  // namespace tw
