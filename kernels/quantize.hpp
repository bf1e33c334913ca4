// Blocks of int8 with one f32 scale: round to nearest.
//
//   absmax = max |x| of the block, compared as integers
//   {inverse, unit} = block_scale(absmax, 127)                     (kernels/math/scale.hpp)
//   code   = clamp(rint(x * inverse), -127, 127)                   ties to even
//   value  = code * unit;  decoded: factor = scale * unit;  out = code * factor, or out + code * factor
//
// Blocks count from the run's first element; the last may be short. A block whose absmax is not finite has codes 0 and
// a NaN unit, and sets kStatusNonFinite.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/kernel.hpp"
#include "kernels/base/operands.hpp"

namespace tw {

/// The arrays of a body: a unit for each block, a code for each value.
template <class Unit, class Code>
struct Int8Arrays {
  std::uint64_t block;  ///< elements that share a unit, a multiple of 32; on CUDA fewer than 2^32 of a run
  std::span<Unit> units;
  std::span<Code> codes;
};
using Int8Body = Int8Arrays<float, std::int8_t>;
using Int8View = Int8Arrays<const float, const std::int8_t>;

using QuantizeInt8 = void(const Exec&, std::span<const float> values, Int8Body);
using QuantizeInt8Feedback = void(const Exec&, std::span<const float> values, Feedback, Int8Body);
using DequantizeInt8 = void(const Exec&, Int8View, Blend, std::span<float> out);

namespace reference {
QuantizeInt8 quantize_int8;
QuantizeInt8Feedback quantize_int8_feedback;
DequantizeInt8 dequantize_int8;
}  // namespace reference
namespace simd {
QuantizeInt8 quantize_int8;
QuantizeInt8Feedback quantize_int8_feedback;
DequantizeInt8 dequantize_int8;
}  // namespace simd
namespace cuda {
QuantizeInt8 quantize_int8;
QuantizeInt8Feedback quantize_int8_feedback;
DequantizeInt8 dequantize_int8;
}  // namespace cuda

inline constexpr Kernel<QuantizeInt8> quantize_int8{reference::quantize_int8, simd::quantize_int8, cuda::quantize_int8};
inline constexpr Kernel<QuantizeInt8Feedback> quantize_int8_feedback{
    reference::quantize_int8_feedback, simd::quantize_int8_feedback, cuda::quantize_int8_feedback};
inline constexpr Kernel<DequantizeInt8> dequantize_int8{reference::dequantize_int8, simd::dequantize_int8,
                                                        cuda::dequantize_int8};

}  // namespace tw
