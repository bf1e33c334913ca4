// Where what a thread found goes among what its warp found, in the order of a tile.
#pragma once

#include <cstdint>

#include "kernels/cuda/cut.hpp"

namespace tw::cuda {

inline constexpr unsigned kWarpTile = kSelectTile / kWarps;  ///< elements in a row of a warp

/// Bit e of `mask` stands for element e % 4 of the thread's quad e / 4. A warp's row of 128 elements is a quad a lane;
/// four rows are counted at once, a byte each.
struct WarpPlaces {
  std::uint32_t before;  ///< of the lanes before, in each row
  std::uint32_t totals;  ///< of all lanes

  /// By all lanes of a warp.
  __device__ explicit WarpPlaces(unsigned mask) {
    std::uint32_t mine = 0;
#pragma unroll
    for (unsigned j = 0; j < kTileQuads; ++j) mine |= static_cast<unsigned>(__popc(mask >> (4 * j) & 0xf)) << (8 * j);
    const std::uint32_t sum = sum_up_to_lane(mine);
    before = sum - mine;
    totals = __shfl_sync(kAllLanes, sum, 31);
  }

  __device__ static unsigned row(std::uint32_t counts, unsigned j) { return counts >> (8 * j) & 0xff; }
  __device__ unsigned count() const { return row(totals, 0) + row(totals, 1) + row(totals, 2) + row(totals, 3); }
};

}  // namespace tw::cuda
