#include "kernels/base/arena.hpp"

#include <algorithm>
#include <new>

namespace tw {
namespace {
constexpr std::size_t kFirstBlockBytes = 64 * 1024;
constexpr std::size_t align_up(std::size_t bytes) {
  return (bytes + Arena::kAlignment - 1) / Arena::kAlignment * Arena::kAlignment;
}
}  // namespace

void Arena::Free::operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{kAlignment}); }

std::size_t Arena::reserved_bytes() const {
  std::size_t total = 0;
  for (const Block& block : blocks_) total += block.capacity;
  return total;
}

void* Arena::take_bytes(std::size_t bytes) {
  bytes = align_up(bytes);
  while (block_ < blocks_.size() && used_ + bytes > blocks_[block_].capacity) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) {
    const std::size_t grown = blocks_.empty() ? kFirstBlockBytes : 2 * blocks_.back().capacity;
    const std::size_t capacity = std::max(grown, bytes);
    auto* memory = static_cast<std::byte*>(::operator new[](capacity, std::align_val_t{kAlignment}));
    blocks_.push_back({std::unique_ptr<std::byte[], Free>(memory), capacity});
  }
  void* taken = blocks_[block_].bytes.get() + used_;
  used_ += bytes;
  return taken;
}

void Arena::rewind(std::size_t block, std::size_t used) {
  block_ = block;
  used_ = used;
}

}  // namespace tw
