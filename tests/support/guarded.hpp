// A buffer between two runs of canaries: whoever writes outside is found by `intact`.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

namespace tw::test {

/// `count` elements whose first is aligned to 64 bytes plus `offset` elements.
template <class T>
class Guarded {
 public:
  explicit Guarded(std::size_t count, T fill = {}, std::size_t offset = 0) : count_(count) {
    bytes_.assign(count * sizeof(T) + 4 * kGuard + offset * sizeof(T), kCanary);
    const auto address = reinterpret_cast<std::uintptr_t>(bytes_.data()) + kGuard;
    begin_ = kGuard + (kGuard - address % kGuard) % kGuard + offset * sizeof(T);
    std::fill_n(span().data(), count_, fill);
  }

  std::span<T> span() { return {reinterpret_cast<T*>(bytes_.data() + begin_), count_}; }
  std::span<const T> span() const { return {reinterpret_cast<const T*>(bytes_.data() + begin_), count_}; }

  bool intact() const {
    const auto is_canary = [](std::byte b) { return b == kCanary; };
    const auto end = bytes_.begin() + static_cast<std::ptrdiff_t>(begin_ + count_ * sizeof(T));
    return std::all_of(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(begin_), is_canary) &&
           std::all_of(end, bytes_.end(), is_canary);
  }

 private:
  static constexpr std::size_t kGuard = 64;
  static constexpr std::byte kCanary{0xc5};
  std::vector<std::byte> bytes_;
  std::size_t begin_;
  std::size_t count_;
};

}  // namespace tw::test
