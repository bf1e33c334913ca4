#include "collectives/windows.hpp"

#include <algorithm>
#include <map>

namespace tw {
namespace {

// Of chunks of one capacity no more than there are, in any order.
template <class Bytes>
void reserve(BufferPool& pool, std::span<const Chunk> chunks, std::size_t window, Bytes bytes_of,
             std::size_t times = 1) {
  std::map<std::size_t, std::size_t> counts;
  for (const Chunk& chunk : chunks) ++counts[BufferPool::capacity_for(bytes_of(chunk))];
  for (const auto& [capacity, count] : counts) pool.reserve(capacity, std::min(count, window) * times);
}

std::size_t frame_bytes(const Chunk& chunk) { return chunk.layout.max_frame_bytes(); }
std::size_t sum_bytes(const Chunk& chunk) { return chunk.count() * sizeof(float); }

}  // namespace

void reserve_sends(Group& group, std::span<const Chunk> chunks, std::size_t window, std::size_t kept) {
  reserve_own_frames(group, chunks, group.staged() ? std::min(kept, window) : window);
  if (group.staged()) reserve(group.buffers, chunks, window, frame_bytes);
}

void reserve_own_frames(Group& group, std::span<const Chunk> chunks, std::size_t window) {
  if (group.device) reserve(group.device->buffers, chunks, window, frame_bytes);
}

void reserve_receives(Group& group, std::span<const Chunk> chunks, std::size_t window, std::size_t sources) {
  if (group.device) reserve(group.direct() ? group.device->rooms : group.buffers, chunks, window, frame_bytes, sources);
}

void reserve_sums(Group& group, std::span<const Chunk> chunks, std::size_t window) {
  if (group.device) reserve(group.device->buffers, chunks, window, sum_bytes);
}

void GivenBack::finished(const Group& group, std::size_t chunks) {
  const Group::Mark mark = group.of_retired();
  if (kept_.empty() || kept_.back().first != mark) kept_.emplace_back(mark, chunks);
  kept_.back().second = chunks;
}

std::size_t GivenBack::chunks(Group& group) {
  for (; !kept_.empty() && group.given_back(kept_.front().first); kept_.pop_front()) chunks_ = kept_.front().second;
  return chunks_;
}

}  // namespace tw
