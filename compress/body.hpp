// Bodies as arrays: each begins on 16 bytes and is padded with zeros to a multiple of 16, in the order they are taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/clear.hpp"

namespace tw {

inline constexpr std::size_t kBodyAlignment = 16;

/// Bytes that an array of `count` elements takes in a body.
template <class T>
constexpr std::size_t array_bytes(std::uint64_t count) {
  return (count * sizeof(T) + kBodyAlignment - 1) / kBodyAlignment * kBodyAlignment;
}

/// Takes arrays from room for a body, and zeroes their padding where `exec` works.
class BodyWriter {
 public:
  BodyWriter(const Exec& exec, std::span<std::byte> body) : exec_(exec), rest_(body) {}

  template <class T>
  std::span<T> array(std::uint64_t count) {
    const auto bytes = rest_.first(array_bytes<T>(count));
    rest_ = rest_.subspan(bytes.size());
    const std::size_t used = count * sizeof(T);
    if (used != bytes.size()) clear_bytes(exec_, bytes.subspan(used));
    return {reinterpret_cast<T*>(bytes.data()), count};
  }

 private:
  const Exec& exec_;
  std::span<std::byte> rest_;
};

/// Takes the same arrays from a body that was validated.
class BodyReader {
 public:
  explicit BodyReader(std::span<const std::byte> body) : rest_(body) {}

  template <class T>
  std::span<const T> array(std::uint64_t count) {
    const auto bytes = rest_.first(array_bytes<T>(count));
    rest_ = rest_.subspan(bytes.size());
    return {reinterpret_cast<const T*>(bytes.data()), count};
  }

 private:
  std::span<const std::byte> rest_;
};

}  // namespace tw
