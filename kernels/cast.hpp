// 16-bit casts and plain copies, as payloads and at the border to 16-bit tensors.
//
//   narrow:  bits = HalfCast::narrow(value) or BrainCast::narrow(value)      (kernels/math/cast.hpp; saturating)
//   widen:   out  = scale * value, or out + scale * value
//   copy:    bits = value, NaN canonical
//
// Non-finite input sets kStatusNonFinite.
#pragma once

#include <cstdint>
#include <span>

#include <tightwire/types.hpp>

#include "kernels/base/kernel.hpp"
#include "kernels/base/operands.hpp"

namespace tw {

/// `dtype` is f16 or bf16; `bits` has the length of `values`.
using Narrow = void(const Exec&, std::span<const float> values, DType dtype, std::span<std::uint16_t> bits);
using NarrowFeedback = void(const Exec&, std::span<const float> values, Feedback, DType dtype,
                            std::span<std::uint16_t> bits);
using Widen = void(const Exec&, std::span<const std::uint16_t> bits, DType dtype, Blend, std::span<float> out);
/// f32 to f32 on the way into a body.
using CopyValues = void(const Exec&, std::span<const float> values, std::span<float> out);
/// f32 to f32 on the way out: out = scale * value, or out + scale * value.
using BlendValues = void(const Exec&, std::span<const float> values, Blend, std::span<float> out);

namespace reference {
Narrow narrow;
NarrowFeedback narrow_feedback;
Widen widen;
CopyValues copy_values;
BlendValues blend_values;
}  // namespace reference
namespace simd {
Narrow narrow;
NarrowFeedback narrow_feedback;
Widen widen;
CopyValues copy_values;
BlendValues blend_values;
}  // namespace simd
namespace cuda {
Narrow narrow;
NarrowFeedback narrow_feedback;
Widen widen;
CopyValues copy_values;
BlendValues blend_values;
}  // namespace cuda

inline constexpr Kernel<Narrow> narrow{reference::narrow, simd::narrow, cuda::narrow};
inline constexpr Kernel<NarrowFeedback> narrow_feedback{reference::narrow_feedback, simd::narrow_feedback,
                                                        cuda::narrow_feedback};
inline constexpr Kernel<Widen> widen{reference::widen, simd::widen, cuda::widen};
inline constexpr Kernel<CopyValues> copy_values{reference::copy_values, simd::copy_values, cuda::copy_values};
inline constexpr Kernel<BlendValues> blend_values{reference::blend_values, simd::blend_values, cuda::blend_values};

}  // namespace tw
