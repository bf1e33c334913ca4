// What selection needs besides vectors: where the k largest of some magnitudes end, and memory.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>

#include "kernels/math/bits.hpp"

namespace tw::simd {

/// Selected is every magnitude above `threshold`, and the first `ties` that equal it.
struct Cut {
  std::uint32_t threshold;
  std::uint64_t ties;
};

/// The cut of the `k` largest of `bits & 7fffffff`, all of which lie in [low, high]; 1 <= k <= bits.size(). Histograms
/// of 2048 bins over an ever narrower range: at most three passes.
inline Cut cut_of_largest(std::span<const std::uint32_t> bits, std::uint64_t k, std::uint32_t low, std::uint32_t high) {
  constexpr int kDigitBits = 11;
  while (true) {
    const int shift = std::max(0, static_cast<int>(std::bit_width(high - low)) - kDigitBits);
    std::array<std::uint32_t, 1u << kDigitBits> counts{};
    for (const std::uint32_t value : bits) {
      const std::uint32_t above = (value & ~kSignBit) - low;
      if (above <= high - low) ++counts[above >> shift];
    }
    std::uint32_t digit = (high - low) >> shift;
    while (counts[digit] < k) k -= counts[digit--];
    low += digit << shift;
    if (shift == 0) return {low, k};
    high = std::min(high, low + ((1u << shift) - 1));
  }
}

/// Memory of one selection.
struct SelectScratch {
  static constexpr std::size_t kMostSamples = std::size_t{1} << 16;

  std::size_t room = 0;              ///< candidates
  std::uint32_t* indices = nullptr;  ///< `room` and a register's width more
  std::uint32_t* bits = nullptr;     ///< the same
  std::uint32_t* sample = nullptr;   ///< kMostSamples, or as many as there are values
};

}  // namespace tw::simd
