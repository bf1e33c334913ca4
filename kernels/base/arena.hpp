// Scratch memory that grows in the first steps and never again: a bump allocator with scopes.
//
//   Arena::Scope scope(arena);
//   std::span<float> p = scope.take<float>(count);   // 64-byte aligned, uninitialised, gone with the scope
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

#include "kernels/base/place.hpp"

namespace tw {

/// Not thread safe: one per thread or per operation. Scopes nest like a stack. The memory is `upstream`'s: the host's,
/// or a device's (kernels/cuda/device_buffer.hpp), of which the arena touches no byte.
class Arena {
 public:
  static constexpr std::size_t kAlignment = FreeBlock::kAlignment;

  /// `upstream` must outlive the arena.
  explicit Arena(std::pmr::memory_resource& upstream = *std::pmr::new_delete_resource()) : upstream_(&upstream) {}

  class Scope {
   public:
    explicit Scope(Arena& arena) : arena_(arena), block_(arena.block_), used_(arena.used_) {}
    ~Scope() { arena_.rewind(block_, used_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

    /// `count` uninitialised elements of a trivial type.
    template <class T>
    std::span<T> take(std::size_t count) {
      static_assert(std::is_trivially_destructible_v<T>);
      return {static_cast<T*>(arena_.take_bytes(count * sizeof(T))), count};
    }

   private:
    Arena& arena_;
    std::size_t block_;
    std::size_t used_;
  };

  /// While it lives, scopes give nothing back; all at once at its end. For memory that is used after its scope: by
  /// work that is only gathered there. One at a time, and scopes that were there before must outlive it.
  class Hold {
   public:
    explicit Hold(Arena& arena) : arena_(arena), scope_(arena) { arena.held_ = true; }
    ~Hold() { arena_.held_ = false; }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    Arena& arena_;
    Scope scope_;
  };

  /// Bytes held from upstream; constant in the steady state.
  std::size_t reserved_bytes() const;

 private:
  void* take_bytes(std::size_t bytes);
  void rewind(std::size_t block, std::size_t used);

  std::pmr::memory_resource* upstream_;
  std::vector<Block> blocks_;
  std::size_t block_ = 0;  // index of the block in use
  std::size_t used_ = 0;   // bytes used of it
  bool held_ = false;
};

}  // namespace tw
