// Frame and accumulator buffers that are used again and again: after the first steps nothing is allocated. They lie on
// the host or on a device, of which the pool touches no byte.
#pragma once

#include <cstddef>
#include <map>
#include <memory_resource>
#include <span>
#include <utility>
#include <vector>

#include "kernels/base/place.hpp"

namespace tw {

class BufferPool;

/// Memory from a pool, aligned to 64 bytes at its lead; goes back when destroyed. Move-only. The pool outlives it.
class Buffer {
 public:
  Buffer() = default;
  ~Buffer() { release(); }
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept;

  std::span<std::byte> bytes() { return {memory_, bytes_}; }
  std::span<const std::byte> bytes() const { return {memory_, bytes_}; }
  std::span<float> floats() { return {reinterpret_cast<float*>(memory_), bytes_ / sizeof(float)}; }
  /// Makes it shorter (a sealed frame may be smaller than its room).
  void shrink(std::size_t bytes) { bytes_ = bytes; }
  /// Gives the memory back now.
  void release();

 private:
  friend class BufferPool;
  Buffer(BufferPool* pool, Block block, std::byte* memory, std::size_t bytes)
      : pool_(pool), block_(std::move(block)), memory_(memory), bytes_(bytes) {}

  BufferPool* pool_ = nullptr;
  Block block_;
  std::byte* memory_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Free lists by capacity: room for a header, and one of eight sizes an octave, the powers of two among them. Not
/// thread safe.
class BufferPool {
 public:
  static constexpr std::size_t kAlignment = 64;

  /// `memory` outlives the pool.
  explicit BufferPool(std::pmr::memory_resource& memory = *std::pmr::new_delete_resource()) : resource_(&memory) {}
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  /// Byte `lead` falls on a multiple of kAlignment: what follows a header is what wide accesses go to.
  Buffer take(std::size_t bytes, std::size_t lead = 0);
  /// Has `count` more buffers of so many bytes lie ready.
  void reserve(std::size_t bytes, std::size_t count);
  /// What a buffer of so many bytes has room for.
  static std::size_t capacity_for(std::size_t bytes);
  /// Bytes ever reserved; constant in the steady state.
  std::size_t reserved_bytes() const { return reserved_bytes_; }

 private:
  friend class Buffer;
  Block allocate(std::size_t capacity);
  void give_back(Block block);

  std::pmr::memory_resource* resource_;
  std::map<std::size_t, std::vector<Block>> free_;  // by capacity
  std::size_t reserved_bytes_ = 0;
};

}  // namespace tw
