// Stochastic rounding to a few integer levels of a block's norm (QSGD: Alistarh et al. 2017, section 3.1), unbiased.
//
//   levels = 2^(bits-1) - 1
//   norm   = max |x| as integers, or f32(sqrt(sum of f64(x)^2)) summed in f64 by kernels/math/lanes.hpp
//   {inverse, unit} = block_scale(norm, levels)
//   a = |x| * inverse;  l = floor(a);  u = f32(word >> 8) * 2^-24;  l = min(l + (u < a - l), levels)
//   code = sign bit of x ? -l : l
//   value = code * unit;  decoded: factor = scale * unit;  out = code * factor, or out + code * factor
//
// `word` of element i of the run is words.word(first + i). Codes are two's complement of `bits` bits in bit planes: bit
// i % 32 of word i / 32 * bits + j is bit j of code i; bits past the last value are 0. So a warp packs with one ballot
// a plane, SIMD with one movemask, and any width costs its bits. Blocks count from the run's first element; the last
// may be short. A block whose norm is not finite has codes 0 and a NaN unit, and sets kStatusNonFinite.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/kernel.hpp"
#include "kernels/base/operands.hpp"
#include "kernels/base/philox.hpp"

namespace tw {

enum class Norm : std::uint8_t { max = 0, l2 = 1 };

/// The arrays of a body: a unit for each block, `bits` words for each 32 values.
template <class Unit, class Word>
struct DitherArrays {
  std::uint64_t block;  ///< elements that share a unit: a multiple of 32, at most 4096
  std::uint32_t bits;   ///< of a code, sign included: 2 to 8
  std::span<Unit> units;
  std::span<Word> words;
};
using DitherBody = DitherArrays<float, std::uint32_t>;
using DitherView = DitherArrays<const float, const std::uint32_t>;

/// Random words of a run that begins at element `first`, a multiple of 32.
struct DitherNoise {
  PhiloxWords words;
  std::uint64_t first;
  const std::uint64_t* recorded_step = nullptr;  ///< brings the words to it (kernels/math/step.hpp)
};

using EncodeDithered = void(const Exec&, std::span<const float> values, Norm, DitherNoise, DitherBody);
using EncodeDitheredFeedback = void(const Exec&, std::span<const float> values, Feedback, Norm, DitherNoise,
                                    DitherBody);
using DecodeDithered = void(const Exec&, DitherView, Blend, std::span<float> out);

namespace reference {
EncodeDithered encode_dithered;
EncodeDitheredFeedback encode_dithered_feedback;
DecodeDithered decode_dithered;
}  // namespace reference
namespace simd {
EncodeDithered encode_dithered;
EncodeDitheredFeedback encode_dithered_feedback;
DecodeDithered decode_dithered;
}  // namespace simd
namespace cuda {
EncodeDithered encode_dithered;
EncodeDitheredFeedback encode_dithered_feedback;
DecodeDithered decode_dithered;
}  // namespace cuda

inline constexpr Kernel<EncodeDithered> encode_dithered{reference::encode_dithered, simd::encode_dithered,
                                                        cuda::encode_dithered};
inline constexpr Kernel<EncodeDitheredFeedback> encode_dithered_feedback{
    reference::encode_dithered_feedback, simd::encode_dithered_feedback, cuda::encode_dithered_feedback};
inline constexpr Kernel<DecodeDithered> decode_dithered{reference::decode_dithered, simd::decode_dithered,
                                                        cuda::decode_dithered};

}  // namespace tw
