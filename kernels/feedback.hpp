// Error feedback as steps of their own, for codecs that do not fuse it: what is encoded, and what that lost. All in
// f32, elements independent of each other, nothing is reported.
//
//   correct:    p = gradient + residual
//   remainder:  next = p - own              (own: what the body of p decodes to)
#pragma once

#include <span>

#include "kernels/base/kernel.hpp"

namespace tw {

/// Equal lengths. Which NaN is left where the value is one is not specified: such a step never commits.
using Correct = void(const Exec&, std::span<const float> gradient, std::span<const float> residual, std::span<float> p);
using Remainder = void(const Exec&, std::span<const float> p, std::span<const float> own, std::span<float> next);

namespace reference {
Correct correct;
Remainder remainder;
}  // namespace reference
namespace simd {
Correct correct;
Remainder remainder;
}  // namespace simd
namespace cuda {
Correct correct;
Remainder remainder;
}  // namespace cuda

inline constexpr Kernel<Correct> correct{reference::correct, simd::correct, cuda::correct};
inline constexpr Kernel<Remainder> remainder{reference::remainder, simd::remainder, cuda::remainder};

}  // namespace tw
