// The tensor that `bench all_reduce` reduces, on the host or on a device: what a rank contributes, and whether what
// came back is the mean. Contributions are bell-shaped (sums of eight uniform numbers) on a grid so coarse that sums
// over ranks need no rounding; the exact mean is then known, whatever the order of summation.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <tightwire/types.hpp>

#include "kernels/base/place.hpp"

namespace tw {

/// What a rank contributes: element i is value i % kPeriod. The sum over ranks, in any order, is exact in f32.
std::vector<float> contribution(std::uint32_t rank, std::uint32_t ranks, std::uint64_t count);
/// The mean of all contributions: exactly what a lossless all-reduce gives.
std::vector<float> exact_mean(std::uint32_t ranks, std::uint64_t count);
inline constexpr std::uint64_t kPeriod = 1000003;  // a prime, so that repeats do not fall together with blocks

struct Comparison {
  double relative_error = 0;  ///< L2
  std::uint64_t wrong = 0;    ///< elements that are not exact
};

class ReducedTensor {
 public:
  struct Member {
    std::uint32_t rank, ranks;
  };
  /// `count` f32 where `exec` works. Throws CudaError where a device has no room.
  ReducedTensor(const Exec& exec, Member member, std::uint64_t count);

  /// Makes it the rank's contribution again. Waits until it is.
  void fill();
  TensorView view() const { return {values_.data(), DType::f32, values_.size()}; }
  /// With the exact mean, on the host.
  Comparison compare();

 private:
  Exec exec_;
  Block block_;
  std::span<float> values_;
  std::vector<float> own_, exact_, copied_;
};

}  // namespace tw
