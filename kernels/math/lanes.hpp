// The order in which floats are summed on every target: lane l of 32 sums elements l, l + 32, ... of its block in
// order; lanes combine by the xor tree 16, 8, 4, 2, 1. One warp, two AVX-512 registers, four AVX2 registers, or this
// array. Blocks are at most 4096 elements.
#pragma once

#include <array>
#include <cstddef>

namespace tw {

inline constexpr std::size_t kLanes = 32;
inline constexpr std::size_t kMaxSummedBlock = 4096;

template <class Float>
class LaneSum {
 public:
  /// Element `index` of the block, in ascending order.
  constexpr void add(std::size_t index, Float value) { lanes_[index % kLanes] += value; }

  constexpr Float total() const {
    std::array<Float, kLanes> lanes = lanes_;
    for (std::size_t distance = kLanes / 2; distance != 0; distance /= 2)
      for (std::size_t lane = 0; lane < distance; ++lane) lanes[lane] += lanes[lane + distance];
    return lanes[0];
  }

 private:
  std::array<Float, kLanes> lanes_{};
};

}  // namespace tw
