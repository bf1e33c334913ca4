#include "collectives/buffers.hpp"

#include <algorithm>
#include <bit>

namespace tw {
namespace {
constexpr unsigned kSmallestLog2 = 8;

// A block has a capacity of a power of two, and up to an alignment of lead.
constexpr std::size_t block_bytes(unsigned log2) { return BufferPool::kAlignment + (std::size_t{1} << log2); }
unsigned log2_of(const Block& block) {
  return static_cast<unsigned>(std::bit_width(block.get_deleter().bytes - BufferPool::kAlignment) - 1);
}
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

Buffer BufferPool::take(std::size_t bytes, std::size_t lead) {
  const auto log2 = static_cast<unsigned>(std::bit_width(std::max<std::size_t>(bytes, 1u << kSmallestLog2) - 1));
  auto& list = free_[log2];
  if (list.empty()) {
    list.push_back(allocate_block(*resource_, block_bytes(log2)));
    reserved_bytes_ += block_bytes(log2);
  }
  Block block = std::move(list.back());
  list.pop_back();
  std::byte* memory = block.get() + (kAlignment - lead % kAlignment) % kAlignment;
  return Buffer(this, std::move(block), memory, bytes);
}

void BufferPool::give_back(Block block) { free_[log2_of(block)].push_back(std::move(block)); }

}  // namespace tw
