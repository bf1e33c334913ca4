// A buffer between two runs of canaries: whoever writes outside is found by `intact`.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>

#include "kernels/base/aligned.hpp"

namespace tw::test {

/// `count` elements whose first is aligned to 64 bytes plus `offset` elements.
template <class T>
class Guarded {
 public:
  explicit Guarded(std::size_t count, T fill = {}, std::size_t offset = 0)
      : begin_(kGuard + offset * sizeof(T)), count_(count) {
    bytes_ = canaries(begin_ + count * sizeof(T) + kGuard);
    for (T& element : span()) element = fill;
  }

  std::span<T> span() { return {reinterpret_cast<T*>(bytes_.data() + begin_), count_}; }
  std::span<const T> span() const { return {reinterpret_cast<const T*>(bytes_.data() + begin_), count_}; }

  /// Everything, canaries too, from a multiple of 64 bytes on; the elements begin `begin()` bytes behind that.
  std::span<std::byte> bytes() { return bytes_; }
  std::size_t begin() const { return begin_; }

  bool intact() const {
    const auto is_canary = [](std::byte b) { return b == kCanary; };
    const auto end = bytes_.begin() + static_cast<std::ptrdiff_t>(begin_ + count_ * sizeof(T));
    return std::all_of(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(begin_), is_canary) &&
           std::all_of(end, bytes_.end(), is_canary);
  }

 private:
  static constexpr std::size_t kGuard = 64;
  static constexpr std::byte kCanary{0xc5};
  // Out of line: inlined where counts come from parameters, GCC 12 warns of lengths that cannot be.
  [[gnu::noinline]] static AlignedVector<std::byte> canaries(std::size_t bytes) {
    return AlignedVector<std::byte>(bytes, kCanary);
  }
  AlignedVector<std::byte> bytes_;
  std::size_t begin_;
  std::size_t count_;
};

}  // namespace tw::test
