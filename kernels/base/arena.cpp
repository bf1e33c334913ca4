#include "kernels/base/arena.hpp"

#include <algorithm>

namespace tw {
namespace {
constexpr std::size_t kFirstBlockBytes = 64 * 1024;
constexpr std::size_t align_up(std::size_t bytes) {
  return (bytes + Arena::kAlignment - 1) / Arena::kAlignment * Arena::kAlignment;
}
}  // namespace

std::size_t Arena::reserved_bytes() const {
  std::size_t total = 0;
  for (const Block& block : blocks_) total += block.get_deleter().bytes;
  return total;
}

void* Arena::take_bytes(std::size_t bytes) {
  bytes = align_up(bytes);
  while (block_ < blocks_.size() && used_ + bytes > blocks_[block_].get_deleter().bytes) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) {
    const std::size_t grown = blocks_.empty() ? kFirstBlockBytes : 2 * blocks_.back().get_deleter().bytes;
    blocks_.push_back(allocate_block(*upstream_, std::max(grown, bytes)));
  }
  void* taken = blocks_[block_].get() + used_;
  used_ += bytes;
  return taken;
}

void Arena::rewind(std::size_t block, std::size_t used) {
  if (held_) return;
  block_ = block;
  used_ = used;
}

}  // namespace tw
