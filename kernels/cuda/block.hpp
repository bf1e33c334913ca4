// What the threads of a block do together, and the blocks of a grid one after another. All are called by all threads.
#pragma once

#include <cstdint>

#include <cub/block/block_scan.cuh>

#include "kernels/cuda/launch.hpp"

namespace tw::cuda {

struct BlockSum {
  std::uint64_t before;  ///< of the threads before this one
  std::uint64_t total;
};

/// Ends with a barrier.
__device__ inline BlockSum sum_before(std::uint64_t value) {
  using Scan = cub::BlockScan<std::uint64_t, static_cast<int>(kThreads)>;
  __shared__ typename Scan::TempStorage storage;
  BlockSum sum{};
  Scan(storage).ExclusiveSum(value, sum.before, sum.total);
  __syncthreads();
  return sum;
}

/// True in the last block of `grid` to come here, for which everything that others wrote before they came is there.
/// `finished` is zero before and after.
__device__ inline bool is_last_block(Grid grid, std::uint32_t* finished) {
  __shared__ bool last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) last = atomicInc(finished, grid.blocks - 1) == grid.blocks - 1;
  __syncthreads();
  __threadfence();
  return last;
}

}  // namespace tw::cuda
