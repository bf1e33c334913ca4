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

}  // namespace tw::cuda
