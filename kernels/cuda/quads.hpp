// Four elements at a time, in 16-byte accesses wherever an array lies on 16 bytes, for kernels that need to know which
// elements they hold.
#pragma once

#include <cstdint>

#include "kernels/cuda/access.hpp"

namespace tw::cuda {

/// A run of elements cut into fours that begin on 16 bytes of one of its arrays. The first and the last quad may be
/// partial: elements are counted from `before` that come before the run, so that quads begin at multiples of 4.
class Quads {
 public:
  template <class T>
  __host__ __device__ Quads(const T* aligned_to, std::uint64_t count)
      : before_(reinterpret_cast<std::uintptr_t>(aligned_to) % 16 / sizeof(T)), end_(before_ + count) {
    static_assert(sizeof(T) == 4);
  }

  /// Where the last element ends.
  __host__ __device__ std::uint64_t end() const { return end_; }
  /// The element's index in the run.
  __host__ __device__ std::uint64_t index(std::uint64_t at) const { return at - before_; }
  /// The same for places outside of the run: its nearest end.
  __device__ std::uint64_t clamped(std::uint64_t at) const {
    return (at < before_ ? before_ : at < end_ ? at : end_) - before_;
  }

  /// Bit i: element i of the quad belongs to the run.
  __device__ unsigned members(std::uint64_t at) const {
    if (is_whole(at)) return 0xf;
    unsigned found = 0;
    for (unsigned i = 0; i < 4; ++i) found |= (is_member(at + i) ? 1u : 0u) << i;
    return found;
  }

  /// Zero where an element does not belong to the run.
  __device__ Elements<float, 4> load(const float* array, std::uint64_t at) const {
    const float* from = array + index(at);
    if (is_whole(at) && is_aligned(from))
      return std::bit_cast<Elements<float, 4>>(*reinterpret_cast<const float4*>(from));
    Elements<float, 4> four{};
    for (unsigned i = 0; i < 4; ++i)
      if (is_member(at + i)) four.at[i] = from[i];
    return four;
  }

  __device__ void store(float* array, std::uint64_t at, const Elements<float, 4>& four) const {
    float* to = array + index(at);
    if (is_whole(at) && is_aligned(to)) {
      __stwb(reinterpret_cast<float4*>(to), std::bit_cast<float4>(four));  // nvcc splits a plain store
      return;
    }
    for (unsigned i = 0; i < 4; ++i)
      if (is_member(at + i)) to[i] = four.at[i];
  }

 private:
  __device__ static bool is_aligned(const float* address) {
    return reinterpret_cast<std::uintptr_t>(address) % 16 == 0;
  }
  __device__ bool is_member(std::uint64_t at) const { return at >= before_ && at < end_; }
  __device__ bool is_whole(std::uint64_t at) const { return at >= before_ && at + 4 <= end_; }

  std::uint64_t before_, end_;
};

}  // namespace tw::cuda
