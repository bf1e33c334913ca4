// Device memory of messages in the order of a stream: each bucket's own for what is encoded before its turn, and one
// room for what comes in its turn.
#pragma once

#include <cstddef>
#include <memory_resource>
#include <span>
#include <vector>

#include "collectives/buffers.hpp"
#include "kernels/base/place.hpp"

namespace tw {

/// Cuts memory into rooms; without any it finds out how much they take.
class RoomCutter {
 public:
  explicit RoomCutter(std::byte* memory = nullptr) : memory_(memory) {}
  /// Byte `lead` of the room falls on a multiple of BufferPool::kAlignment.
  std::span<std::byte> cut(std::size_t bytes, std::size_t lead = 0) {
    constexpr std::size_t kAlignment = BufferPool::kAlignment;
    const std::size_t begin = (used_ + lead + kAlignment - 1) / kAlignment * kAlignment - lead;
    used_ = begin + bytes;
    return {memory_ == nullptr ? nullptr : memory_ + begin, bytes};
  }
  std::size_t used() const { return used_; }

 private:
  std::byte* memory_;
  std::size_t used_ = 0;
};

/// Taken at preparation, and kept until nothing moves any more, whatever becomes of the operations.
class DeviceRooms {
 public:
  explicit DeviceRooms(std::pmr::memory_resource& memory) : memory_(&memory) {}

  std::byte* take(std::size_t bytes) { return taken_.emplace_back(allocate_block(*memory_, bytes)).get(); }
  /// One bucket after another uses the shared room: it is as large as the largest that was asked for, and may move when
  /// another asks.
  void share(std::size_t bytes) {
    if (bytes <= (shared_ ? shared_.get_deleter().bytes : 0)) return;
    shared_.reset();
    shared_ = allocate_block(*memory_, bytes);
  }
  std::byte* shared() { return shared_.get(); }

 private:
  std::pmr::memory_resource* memory_;
  std::vector<Block> taken_;
  Block shared_;
};

}  // namespace tw
