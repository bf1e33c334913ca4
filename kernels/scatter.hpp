// Between dense runs and (index, value) pairs. Indices ascend strictly and lie inside the run.
//
//   gather:    value_j = canonical(x[index_j])
//   scatter:   x[index_j] = scale * value_j, all other elements +0;  or x[index_j] += scale * value_j
//   clear_at:  x[index_j] = +0
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/kernel.hpp"
#include "kernels/base/operands.hpp"
#include "kernels/select.hpp"

namespace tw {

/// `out.indices` is an input here.
using Gather = void(const Exec&, std::span<const float> values, SparseBody out);
using Scatter = void(const Exec&, SparseView, Blend, std::span<float> out);
using ClearAt = void(const Exec&, std::span<const std::uint32_t> indices, std::span<float> values);

namespace reference {
Gather gather;
Scatter scatter;
ClearAt clear_at;
}  // namespace reference
namespace simd {
Gather gather;
Scatter scatter;
ClearAt clear_at;
}  // namespace simd
namespace cuda {
Gather gather;
Scatter scatter;
ClearAt clear_at;
}  // namespace cuda

inline constexpr Kernel<Gather> gather{reference::gather, simd::gather, cuda::gather};
inline constexpr Kernel<Scatter> scatter{reference::scatter, simd::scatter, cuda::scatter};
inline constexpr Kernel<ClearAt> clear_at{reference::clear_at, simd::clear_at, cuda::clear_at};

}  // namespace tw
