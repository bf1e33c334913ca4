// Element-wise sums and the division that makes them a mean. All in f32, elements independent of each other, so any
// order of elements gives the same bytes.
//
//   accumulate:  sum = sum + addend
//   divide:      value = value / divisor       (one rounding, unlike a multiplication with 1 / divisor)
//   average:     sum = addend = canonical((sum + addend) / divisor): the last addition, the mean and its delivery
#pragma once

#include <span>

#include "kernels/base/kernel.hpp"

namespace tw {

/// Equal lengths.
using Accumulate = void(const Exec&, std::span<const float> addend, std::span<float> sum);
using Divide = void(const Exec&, std::span<float> values, float divisor);
/// Equal lengths. A mean that is not finite sets kStatusNonFinite.
using Average = void(const Exec&, std::span<float> addend, float divisor, std::span<float> sum);

namespace reference {
Accumulate accumulate;
Divide divide;
Average average;
}  // namespace reference
namespace simd {
Accumulate accumulate;
Divide divide;
Average average;
}  // namespace simd
namespace cuda {
Accumulate accumulate;
Divide divide;
Average average;
}  // namespace cuda

inline constexpr Kernel<Accumulate> accumulate{reference::accumulate, simd::accumulate, cuda::accumulate};
inline constexpr Kernel<Divide> divide{reference::divide, simd::divide, cuda::divide};
inline constexpr Kernel<Average> average{reference::average, simd::average, cuda::average};

}  // namespace tw
