// The k values of largest magnitude, exactly: the k largest of (bits & 7fffffff) as integers, so NaN is largest; of
// equal magnitudes the smaller index. Written in ascending order of index, NaN canonical.
//
// Non-finite input sets kStatusNonFinite. The feedback form keeps p = values + residual_in where it was not selected;
// residual_out of a selected element is p - p: +0, or NaN where p is not finite.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/kernel.hpp"
#include "kernels/base/operands.hpp"

namespace tw {

/// k pairs; both spans have length k <= values.size() <= 2^32.
template <class Index, class Value>
struct SparseArrays {
  std::span<Index> indices;
  std::span<Value> values;
};
using SparseBody = SparseArrays<std::uint32_t, float>;
using SparseView = SparseArrays<const std::uint32_t, const float>;

/// May take scratch memory from `exec.arena`, which CUDA needs: without one it throws UsageError.
using SelectLargest = void(const Exec&, std::span<const float> values, SparseBody);
using SelectLargestFeedback = void(const Exec&, std::span<const float> values, Feedback, SparseBody);

namespace reference {
SelectLargest select_largest;
SelectLargestFeedback select_largest_feedback;
}  // namespace reference
namespace simd {
SelectLargest select_largest;
SelectLargestFeedback select_largest_feedback;
}  // namespace simd
namespace cuda {
SelectLargest select_largest;
SelectLargestFeedback select_largest_feedback;
}  // namespace cuda

inline constexpr Kernel<SelectLargest> select_largest{reference::select_largest, simd::select_largest,
                                                      cuda::select_largest};
inline constexpr Kernel<SelectLargestFeedback> select_largest_feedback{
    reference::select_largest_feedback, simd::select_largest_feedback, cuda::select_largest_feedback};

}  // namespace tw
