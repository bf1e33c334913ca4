// How elements get from memory to registers and back: a warp's tile at a time, or a single element. A kernel's
// arithmetic is written once, over the `kCount` elements that either gives a thread:
//
//   const auto a = at.load(x), b = at.load(y);   // all loads first: they are under way together
//   auto sum = a;
//   for (int i = 0; i < at.kCount; ++i) sum[i] = a[i] + b[i];
//   at.store(z, sum);
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/cuda/warp.hpp"

namespace tw::cuda {

/// Elements in the registers of one thread.
template <class T, int count>
struct Elements {
  T at[count];
  __device__ T& operator[](int i) { return at[i]; }
  __device__ const T& operator[](int i) const { return at[i]; }
};

/// A tile of 256 elements from `first` on, for a whole warp; 16-byte accesses, every sector used once.
///
/// Lane l holds elements 4l.. and 128 + 4l.., four of each. For 4-byte types that is two accesses, each of 512 bytes in
/// a row by the warp. For 2-byte types it is one: lane 2m accesses elements 8m..8m+7 and lane 2m + 1 elements
/// 128 + 8m..128 + 8m+7, and the pair swaps the halves that are the other's.
class WarpTile {
 public:
  static constexpr int kCount = 8;
  static constexpr std::uint64_t kElements = 32 * kCount;

  __device__ explicit WarpTile(std::uint64_t first) : first_(first) {}

  /// Which element the i-th is.
  __device__ std::uint64_t index(int i) const {
    return first_ + 4 * lane() + static_cast<unsigned>(i < 4 ? i : 124 + i);
  }

  template <class T>
  __device__ Elements<T, kCount> load(const T* from) const {
    const auto* words = reinterpret_cast<const uint4*>(from + first_);
    if constexpr (sizeof(T) == 4) {
      return std::bit_cast<Elements<T, kCount>>(Pair<uint4>{words[lane()], words[32 + lane()]});
    } else {
      static_assert(sizeof(T) == 2);
      const uint4 loaded = words[paired_chunk()];
      const uint2 front{loaded.x, loaded.y}, back{loaded.z, loaded.w};
      const uint2 other = swapped_in_pairs(is_odd() ? front : back);
      return std::bit_cast<Elements<T, kCount>>(is_odd() ? Pair<uint2>{other, back} : Pair<uint2>{front, other});
    }
  }

  template <class T>
  __device__ void store(T* to, const Elements<T, kCount>& values) const {
    auto* words = reinterpret_cast<uint4*>(to + first_);
    if constexpr (sizeof(T) == 4) {
      const auto halves = std::bit_cast<Pair<uint4>>(values);
      words[lane()] = halves.first;
      words[32 + lane()] = halves.second;
    } else {
      static_assert(sizeof(T) == 2);
      const auto halves = std::bit_cast<Pair<uint2>>(values);
      const uint2 other = swapped_in_pairs(is_odd() ? halves.first : halves.second);
      const uint2 front = is_odd() ? other : halves.first, back = is_odd() ? halves.second : other;
      words[paired_chunk()] = {front.x, front.y, back.x, back.y};
    }
  }

 private:
  template <class Word>
  struct Pair {
    Word first, second;
  };
  __device__ static bool is_odd() { return lane() % 2 != 0; }
  __device__ static unsigned paired_chunk() { return lane() / 2 + 16 * (lane() % 2); }

  std::uint64_t first_;
};

/// One element, for one thread: what lies before and behind the tiles, and arrays that no tile fits.
class OneElement {
 public:
  static constexpr int kCount = 1;

  __device__ explicit OneElement(std::uint64_t index) : index_(index) {}

  __device__ std::uint64_t index(int) const { return index_; }

  template <class T>
  __device__ Elements<T, 1> load(const T* from) const {
    return {from[index_]};
  }
  template <class T>
  __device__ void store(T* to, Elements<T, 1> value) const {
    to[index_] = value[0];
  }

 private:
  std::uint64_t index_;
};

}  // namespace tw::cuda
