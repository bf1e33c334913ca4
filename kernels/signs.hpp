// One sign bit a value and the mean magnitude of a block, the least-squares scale for signs (Karimireddy et al. 2019).
//
//   unit  = sum |x| / float(count)          over the block, summed by kernels/math/lanes.hpp
//   sign  = the sign bit of x               (-0 is negative)
//   value = sign ? -unit : unit;  decoded: factor = scale * unit;  out = +-factor, or out + +-factor
//
// Bit i % 32 of word i / 32, least significant first, is value i; bits past the last value are 0. Blocks count from the
// run's first element; the last may be short, `count` being what it holds. A block whose sum is not finite has signs 0
// and a NaN unit, and sets kStatusNonFinite.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/kernel.hpp"
#include "kernels/base/operands.hpp"

namespace tw {

/// The arrays of a body: a unit for each block, a word for each 32 values.
template <class Unit, class Word>
struct SignArrays {
  std::uint64_t block;  ///< elements that share a unit: a multiple of 32, at most 4096
  std::span<Unit> units;
  std::span<Word> words;
};
using SignBody = SignArrays<float, std::uint32_t>;
using SignView = SignArrays<const float, const std::uint32_t>;

using EncodeSigns = void(const Exec&, std::span<const float> values, SignBody);
using EncodeSignsFeedback = void(const Exec&, std::span<const float> values, Feedback, SignBody);
using DecodeSigns = void(const Exec&, SignView, Blend, std::span<float> out);

namespace reference {
EncodeSigns encode_signs;
EncodeSignsFeedback encode_signs_feedback;
DecodeSigns decode_signs;
}  // namespace reference
namespace simd {
EncodeSigns encode_signs;
EncodeSignsFeedback encode_signs_feedback;
DecodeSigns decode_signs;
}  // namespace simd
namespace cuda {
EncodeSigns encode_signs;
EncodeSignsFeedback encode_signs_feedback;
DecodeSigns decode_signs;
}  // namespace cuda

inline constexpr Kernel<EncodeSigns> encode_signs{reference::encode_signs, simd::encode_signs, cuda::encode_signs};
inline constexpr Kernel<EncodeSignsFeedback> encode_signs_feedback{
    reference::encode_signs_feedback, simd::encode_signs_feedback, cuda::encode_signs_feedback};
inline constexpr Kernel<DecodeSigns> decode_signs{reference::decode_signs, simd::decode_signs, cuda::decode_signs};

}  // namespace tw
