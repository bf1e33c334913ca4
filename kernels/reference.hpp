// What the plain-loop definitions of ops share. Not for SIMD or device code.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/operands.hpp"
#include "kernels/math/bits.hpp"

namespace tw::reference {

/// p = values + residual_in, left where the new residual will be.
inline std::span<float> corrected(std::span<const float> values, Feedback feedback) {
  for (std::size_t i = 0; i < values.size(); ++i) feedback.residual_out[i] = values[i] + feedback.residual_in[i];
  return feedback.residual_out;
}

/// Largest magnitude as bits: 7f800000 or more where a value is not finite.
inline std::uint32_t largest_magnitude(std::span<const float> values) {
  std::uint32_t largest = 0;
  for (const float value : values) largest = magnitude_bits(value) > largest ? magnitude_bits(value) : largest;
  return largest;
}

/// out_i = value(i), or out_i + value(i).
template <class Value>
void blend(Combine combine, std::span<float> out, Value value) {
  if (combine == Combine::assign)
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = value(i);
  else
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = out[i] + value(i);
}

/// Calls visit(index of the block, its first element, the end) for every block of a run.
template <class Visit>
void for_each_block(std::uint64_t count, std::uint64_t block, Visit visit) {
  for (std::uint64_t begin = 0, b = 0; begin < count; begin += block, ++b)
    visit(b, begin, count - begin < block ? count : begin + block);
}

}  // namespace tw::reference
