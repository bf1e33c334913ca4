// Norms of a block whose rows (kernels/cuda/rows.hpp) a warp holds: every lane gets the total.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/cuda/rows.hpp"
#include "kernels/math/bits.hpp"

namespace tw::cuda {

/// The largest magnitude, compared as integers.
class LargestMagnitude {
 public:
  __device__ void add(const Quad& values) {
    for (unsigned k = 0; k < 4; ++k) largest_ = max(largest_, magnitude_bits(values[k]));
  }
  __device__ float total() const { return std::bit_cast<float>(__reduce_max_sync(kAllLanes, largest_)); }

 private:
  std::uint32_t largest_ = 0;
};

/// Lane t exchanges with t ^ 8, t ^ 16, t ^ 24, so that its k-th value becomes the (t / 8)-th of lane t % 8 + 8k.
__device__ inline Quad transposed(Quad values) {
  const bool odd = (lane() & 8) != 0, high = (lane() & 16) != 0;
  for (unsigned k = 0; k < 4; k += 2) {
    const float other = __shfl_xor_sync(kAllLanes, odd ? values[k] : values[k + 1], 8);
    (odd ? values[k] : values[k + 1]) = other;
  }
  for (unsigned k = 0; k < 2; ++k) {
    const float other = __shfl_xor_sync(kAllLanes, high ? values[k] : values[k + 2], 16);
    (high ? values[k] : values[k + 2]) = other;
  }
  return values;
}

/// LaneSum of kernels/math/lanes.hpp over term(value). A row is four runs of 32, a quarter of each of which is held by
/// eight lanes: transposed, thread t has what lane 4 (t % 8) + t / 8 of the rule adds, in order.
template <class Float, class Term>
class LaneSums {
 public:
  __device__ void add(const Quad& values) {
    const Quad own = transposed(values);
    for (unsigned k = 0; k < 4; ++k) sum_ += Term{}(own[k]);
  }
  __device__ Float total() const {
    Float sum = sum_;
    for (const int distance : {4, 2, 1, 16, 8}) sum += __shfl_xor_sync(kAllLanes, sum, distance);  // 16, 8, 4, 2, 1
    return sum;
  }

 private:
  Float sum_ = 0;
};

}  // namespace tw::cuda
