// What kernels found wrong with the frames of a bucket that others sent: a status word a frame, where kernels write and
// read it, and on the host once it was brought home.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "collectives/group.hpp"

namespace tw {

class FrameFindings {
 public:
  /// For as many frames. `group` codes on a device and outlives it.
  FrameFindings(Group& group, std::size_t frames)
      : group_(group),
        words_(group.coding_buffer(frames * sizeof(std::uint32_t))),
        home_(group.buffers.take(frames * sizeof(std::uint32_t))) {}

  /// Enqueued: nothing is found yet.
  void clear() { fill_zero(group_.exec, words_.bytes()); }
  /// Enqueued: what was found so far, for `found`.
  void bring_home() { copy_bytes(group_.exec, words_.bytes(), home_.bytes()); }

  /// Those of frames [first, first + count), in device memory.
  std::span<std::uint32_t> words(std::size_t first, std::size_t count) {
    return words_of(words_).subspan(first, count);
  }
  /// By frame, once what was enqueued up to `bring_home` is done.
  std::span<const std::uint32_t> found() { return words_of(home_); }

 private:
  static std::span<std::uint32_t> words_of(Buffer& buffer) {
    return {reinterpret_cast<std::uint32_t*>(buffer.bytes().data()), buffer.bytes().size() / sizeof(std::uint32_t)};
  }

  Group& group_;
  Buffer words_, home_;
};

}  // namespace tw
