// Element-wise sums and the division that makes them a mean. All in f32, elements independent of each other, so any
// order of elements gives the same bytes.
//
//   accumulate:  sum = sum + addend
//   divide:      value = value / divisor       (one rounding, unlike a multiplication with 1 / divisor)
#pragma once

#include <span>

#include "kernels/base/kernel.hpp"

namespace tw {

/// Equal lengths.
using Accumulate = void(const Exec&, std::span<const float> addend, std::span<float> sum);
using Divide = void(const Exec&, std::span<float> values, float divisor);

namespace reference {
Accumulate accumulate;
Divide divide;
}  // namespace reference
namespace simd {
Accumulate accumulate;
Divide divide;
}  // namespace simd
namespace cuda {
Accumulate accumulate;
Divide divide;
}  // namespace cuda

inline constexpr Kernel<Accumulate> accumulate{reference::accumulate, simd::accumulate, cuda::accumulate};
inline constexpr Kernel<Divide> divide{reference::divide, simd::divide, cuda::divide};

}  // namespace tw
