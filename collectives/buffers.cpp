#include "collectives/buffers.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace tw {
namespace {
// A block: the log2 of its capacity, by which a buffer finds its list again; up to an alignment of lead; the capacity.
constexpr std::size_t kHeader = BufferPool::kAlignment;
constexpr unsigned kSmallestLog2 = 8;

constexpr std::size_t block_bytes(std::uint32_t log2) {
  return kHeader + BufferPool::kAlignment + (std::size_t{1} << log2);
}
}  // namespace

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this == &other) return *this;
  release();
  pool_ = std::exchange(other.pool_, nullptr);
  memory_ = std::exchange(other.memory_, nullptr);
  bytes_ = std::exchange(other.bytes_, 0);
  return *this;
}

void Buffer::release() {
  if (memory_ != nullptr) pool_->give_back(memory_);
  memory_ = nullptr;
  bytes_ = 0;
}

BufferPool::~BufferPool() {
  for (auto& list : free_)
    for (std::byte* block : list) ::operator delete[](block, std::align_val_t{kAlignment});
}

Buffer BufferPool::take(std::size_t bytes, std::size_t lead) {
  const auto log2 = static_cast<std::uint32_t>(std::bit_width(std::max<std::size_t>(bytes, 1u << kSmallestLog2) - 1));
  auto& list = free_[log2];
  if (list.empty()) {
    auto* block = static_cast<std::byte*>(::operator new[](block_bytes(log2), std::align_val_t{kAlignment}));
    std::memcpy(block, &log2, sizeof log2);
    list.push_back(block);
    reserved_bytes_ += block_bytes(log2);
  }
  std::byte* memory = list.back() + kHeader + (kAlignment - lead % kAlignment) % kAlignment;
  list.pop_back();
  return Buffer(this, memory, bytes);
}

void BufferPool::give_back(std::byte* memory) {
  std::byte* block = memory - reinterpret_cast<std::uintptr_t>(memory) % kAlignment - kHeader;
  std::uint32_t log2;
  std::memcpy(&log2, block, sizeof log2);
  free_[log2].push_back(block);
}

}  // namespace tw
