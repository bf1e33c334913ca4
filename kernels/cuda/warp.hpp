// What the lanes of a warp do together.
#pragma once

#include <cstdint>

namespace tw::cuda {

inline constexpr unsigned kAllLanes = 0xffffffffu;

__device__ inline unsigned lane() { return threadIdx.x % 32; }

/// What the other lane of each pair (2m, 2m + 1) gives.
__device__ inline uint2 swapped_in_pairs(uint2 value) {
  return {__shfl_xor_sync(kAllLanes, value.x, 1), __shfl_xor_sync(kAllLanes, value.y, 1)};
}

/// The sum of what the lanes up to this one give.
template <class Integer>
__device__ Integer sum_up_to_lane(Integer value) {
#pragma unroll
  for (unsigned distance = 1; distance < 32; distance *= 2) {
    const Integer other = __shfl_up_sync(kAllLanes, value, distance);
    if (lane() >= distance) value += other;
  }
  return value;
}

}  // namespace tw::cuda
