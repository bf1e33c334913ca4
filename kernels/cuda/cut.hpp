// The exact cut of as few elements as one block looks at: no counts but in shared memory.
#pragma once

#include <cstdint>

#include "kernels/cuda/block.hpp"
#include "kernels/cuda/select.hpp"

namespace tw::cuda {

inline constexpr unsigned kTileQuads = kSelectTile / kThreads / 4;  ///< of a thread
inline constexpr unsigned kTileElements = 4 * kTileQuads;           ///< the same
static_assert(kTileQuads == 4);

using ThreadQuads = Elements<float, 4>[kTileQuads];

/// A thread's elements of a tile; bit e of `members` says whether the run has element e % 4 of quad e / 4.
struct TileElements {
  ThreadQuads p;
  unsigned members;

  /// Calls look(magnitude) for each.
  template <class Look>
  __device__ void each(Look look) const {
    if (members == 0) return;
#pragma unroll
    for (unsigned e = 0; e < kTileElements; ++e)
      if ((members >> e & 1) != 0) look(magnitude_bits(p[e / 4].at[e % 4]));
  }
};

/// The `wanted` largest of a block's elements, 1 to as many as there are; elements.each(look) are a thread's. By a
/// whole block; ends with a barrier. A digit at a time, of eight bits: a bin a thread.
template <class Each>
__device__ Cut find_cut(const Each& elements, std::uint32_t wanted) {
  constexpr int kBits = 8;
  static_assert(kThreads == 1u << kBits);
  __shared__ std::uint32_t counts[kThreads];
  __shared__ std::uint32_t found_digit, found_wanted;
  std::uint32_t threshold = 0;  // of magnitudes times two, which fill four digits
  for (int shift = 32 - kBits; shift >= 0; shift -= kBits) {
    counts[threadIdx.x] = 0;
    __syncthreads();
    elements.each([&](std::uint32_t bits) {
      const std::uint32_t digits = (bits << 1 ^ threshold) >> shift;  // one, where those above are the threshold's
      if (digits >> kBits == 0) atomicAdd(&counts[digits], 1u);
    });
    __syncthreads();
    const unsigned digit = kThreads - 1 - threadIdx.x;
    const std::uint32_t count = counts[digit];
    const auto before = static_cast<std::uint32_t>(sum_before(count).before);
    if (before < wanted && wanted <= before + count) found_digit = digit, found_wanted = wanted - before;
    __syncthreads();
    threshold |= found_digit << shift;
    wanted = found_wanted;
  }
  return {threshold >> 1, wanted};
}

}  // namespace tw::cuda
