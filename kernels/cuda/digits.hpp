// The k-th largest of many magnitudes by histograms of their digits, from the highest on.
#pragma once

#include <cstdint>

#include "kernels/cuda/block.hpp"
#include "kernels/cuda/warp.hpp"
#include "kernels/math/bits.hpp"

namespace tw::cuda {

/// Bits shift .. shift + width - 1 of a magnitude.
template <unsigned shift, unsigned width>
struct Digit {
  static constexpr unsigned kShift = shift;
  static constexpr unsigned kBins = 1u << width;
  __device__ static unsigned of(std::uint32_t bits) { return bits >> shift & (kBins - 1); }
  __device__ static bool same_above(std::uint32_t a, std::uint32_t b) { return ((a ^ b) >> shift) >> width == 0; }
};
using HighDigit = Digit<19, 12>;  // the exponent and four bits: a sixteenth of a factor of two
using MiddleDigit = Digit<9, 10>;
using LowDigit = Digit<0, 9>;

inline constexpr unsigned kMostBins = HighDigit::kBins;

/// A block's own counts, in shared memory. Equal digits in a warp are one access: sm_90 adds constants so (ATOMS.POPC).
template <class Digit>
struct DigitCounts {
  static constexpr unsigned kEach = Digit::kBins / kThreads;  // of a thread
  static_assert(Digit::kBins % kThreads == 0);
  std::uint32_t of[Digit::kBins];

  __device__ void clear() {
    for (unsigned i = 0; i < kEach; ++i) of[i * kThreads + threadIdx.x] = 0;
  }
  __device__ std::uint64_t count(unsigned digit) const { return of[digit]; }
  __device__ void done(unsigned) const {}
  __device__ void add(std::uint32_t bits) { atomicAdd(&of[Digit::of(bits)], 1u); }
  __device__ void add_to(unsigned long long* totals) const {
    for (unsigned i = 0; i < kEach; ++i)
      if (const unsigned b = i * kThreads + threadIdx.x; of[b] != 0) atomicAdd(&totals[b], of[b]);
  }
};

/// What all blocks counted; left zero.
struct Totals {
  unsigned long long* of;

  __device__ std::uint64_t count(unsigned digit) const { return __ldcg(&of[digit]); }
  __device__ void done(unsigned digit) const { of[digit] = 0; }
};

/// Calls found(digit, how many of those with this digit are still wanted) in one thread, for the digit of the
/// `wanted`-th largest; in none where there are fewer. By a whole block. Each digit is done once its count is known.
template <class Digit, class Counts, class Found>
__device__ void find_digit(const Counts& counts, std::uint64_t wanted, Found found) {
  constexpr unsigned kRows = Digit::kBins / kThreads;
  static_assert(kRows != 0);
  // A warp's digits descend from here, 32 of them in a row.
  const unsigned highest = Digit::kBins - 1 - threadIdx.x / 32 * (kRows * 32) - lane();
  std::uint64_t sum = 0;
#pragma unroll 4
  for (unsigned r = 0; r < kRows; ++r) sum += counts.count(highest - 32 * r);
  const std::uint64_t lanes_before = sum_before(sum).before;
  std::uint64_t before = __shfl_sync(kAllLanes, lanes_before, 0);
  const std::uint64_t warps_end = __shfl_sync(kAllLanes, lanes_before + sum, 31);
  // Read again, by the one warp that needs them: registers for all of them would spill.
  if (before < wanted && wanted <= warps_end) {
#pragma unroll 1
    for (unsigned r = 0; r < kRows; ++r) {
      const std::uint64_t here = counts.count(highest - 32 * r), up_to = before + sum_up_to_lane(here);
      if (up_to - here < wanted && wanted <= up_to) found(highest - 32 * r, wanted - (up_to - here));
      before = __shfl_sync(kAllLanes, up_to, 31);
    }
  }
  if (sum == 0) return;
#pragma unroll
  for (unsigned r = 0; r < kRows; ++r) counts.done(highest - 32 * r);
}

}  // namespace tw::cuda
