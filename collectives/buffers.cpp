#include "collectives/buffers.hpp"

#include <algorithm>
#include <bit>

namespace tw {
namespace {
constexpr std::size_t kHeaderRoom = 128;  // beside what is often a power of two
constexpr std::size_t kSmallestRest = 256;

// A block has a capacity, and up to an alignment of lead.
std::size_t capacity_of(const Block& block) { return block.get_deleter().bytes - BufferPool::kAlignment; }
}  // namespace

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this == &other) return *this;
  release();
  pool_ = std::exchange(other.pool_, nullptr);
  block_ = std::move(other.block_);
  memory_ = std::exchange(other.memory_, nullptr);
  bytes_ = std::exchange(other.bytes_, 0);
  return *this;
}

void Buffer::release() {
  if (memory_ != nullptr) pool_->give_back(std::move(block_));
  memory_ = nullptr;
  bytes_ = 0;
}

std::size_t BufferPool::capacity_for(std::size_t bytes) {
  const std::size_t rest = std::max(bytes, kHeaderRoom + kSmallestRest) - kHeaderRoom;
  const std::size_t step = std::bit_floor(rest - 1) / 8;
  return kHeaderRoom + (rest + step - 1) / step * step;
}

Block BufferPool::allocate(std::size_t capacity) {
  reserved_bytes_ += capacity + kAlignment;
  return allocate_block(*resource_, capacity + kAlignment);
}

void BufferPool::reserve(std::size_t bytes, std::size_t count) {
  const std::size_t capacity = capacity_for(bytes);
  for (auto& list = free_[capacity]; count != 0; --count) list.push_back(allocate(capacity));
}

Buffer BufferPool::take(std::size_t bytes, std::size_t lead) {
  auto& list = free_[capacity_for(bytes)];
  if (list.empty()) list.push_back(allocate(capacity_for(bytes)));
  Block block = std::move(list.back());
  list.pop_back();
  std::byte* memory = block.get() + (kAlignment - lead % kAlignment) % kAlignment;
  return Buffer(this, std::move(block), memory, bytes);
}

void BufferPool::give_back(Block block) { free_[capacity_of(block)].push_back(std::move(block)); }

}  // namespace tw
