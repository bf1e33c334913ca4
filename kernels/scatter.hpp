// Between dense runs and (index, value) pairs. Indices ascend strictly and lie inside the run.
//
//   gather:    value_j = canonical(x[index_j])
//   scatter:   x[index_j] = scale * value_j, all other elements +0;  or x[index_j] += scale * value_j
//   clear_at:  x[index_j] = +0
//   check_indices:  sets kStatusBadPayload unless they do, inside `count` elements
//
// On a device, indices that somebody else sent may be looked at in the same breath as they are used: scatter and
// clear_at leave out those outside of the run there, and what they give is then of no use.
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
using CheckIndices = void(const Exec&, std::span<const std::uint32_t> indices, std::uint64_t count);
using ClearAt = void(const Exec&, std::span<const std::uint32_t> indices, std::span<float> values);

namespace reference {
Gather gather;
Scatter scatter;
ClearAt clear_at;
CheckIndices check_indices;
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
CheckIndices check_indices;
}  // namespace cuda

inline constexpr Kernel<Gather> gather{reference::gather, simd::gather, cuda::gather};
inline constexpr Kernel<Scatter> scatter{reference::scatter, simd::scatter, cuda::scatter};
inline constexpr Kernel<ClearAt> clear_at{reference::clear_at, simd::clear_at, cuda::clear_at};
inline constexpr Kernel<CheckIndices> check_indices{reference::check_indices, reference::check_indices,
                                                    cuda::check_indices};

}  // namespace tw
