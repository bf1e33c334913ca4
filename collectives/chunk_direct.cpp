// Chunks whose frames are sent from device memory and received there when the host says so (Group::direct). Kernels
// seal frames and look at those of others; every foreign frame has a word of its own for what they find, so that the
// host can name its rank, before what was made of it leaves.
#include <cstring>

#include "collectives/chunk_coder.hpp"
#include "kernels/base/check.hpp"
#include "kernels/frame.hpp"

namespace tw {

std::uint32_t& ChunkCoder::finding(std::uint32_t chunk, std::uint32_t source) const {
  return reinterpret_cast<std::uint32_t*>(findings_.get())[std::size_t{chunk} * group_.ranks() + source];
}

void ChunkCoder::forget_findings() {
  if (!group_.direct()) return;
  const std::size_t bytes = plan_.chunks().size() * group_.ranks() * sizeof(std::uint32_t);
  if (!findings_) findings_ = allocate_block(memory_of(Residence::pinned), bytes);
  std::memset(findings_.get(), 0, bytes);
}

void ChunkCoder::refuse_bad_frame(const Chunk& chunk, std::uint32_t source) const {
  const std::uint32_t found = finding(chunk.index, source);
  if (found == 0) return;
  TW_FAIL(WireError, "rank ", group_.rank(), ": the frame of rank ", source, " for chunk ", chunk.index, " of bucket ",
          plan_.bucket(),
          (found & kStatusBadFrame) != 0 ? " has not the header or checksum that was expected"
                                         : " holds indices out of range or order");
}

void ChunkCoder::refuse_bad_frames(const Chunk& chunk) const {
  if (!group_.direct()) return;
  for (std::uint32_t source = 0; source < group_.ranks(); ++source) refuse_bad_frame(chunk, source);
}

void ChunkCoder::refuse_bad_frames() const {
  for (const Chunk& chunk : plan_.chunks()) refuse_bad_frames(chunk);
}

// The host has a look before the frame leaves: it was made of good ones.
void ChunkCoder::seal_direct(const Chunk& chunk, const FrameId& id, std::span<std::byte> frame) {
  seal_in_place(group_.exec, header_of_fixed_size(id, chunk.layout, group_.checksum), group_.checksum, {}, frame);
}

void ChunkCoder::seal_again(const Chunk& chunk, std::span<std::byte> frame) {
  if (group_.direct() && chunk.owner != group_.rank())
    seal_direct(chunk, frame_id(chunk, chunk.owner, Hop::owner), frame);
}

ChunkCoder::Bodies ChunkCoder::checked_direct(const Chunk& chunk, const FrameId& id, std::span<std::byte> frame,
                                              Scratch& scratch) {
  TW_CHECK(frame.size() == chunk.layout.max_frame_bytes(), WireError, "rank ", group_.rank(), ": the frame of rank ",
           id.source, " for chunk ", chunk.index, " of bucket ", plan_.bucket(), " has ", frame.size(), " bytes, ",
           chunk.layout.max_frame_bytes(), " were expected");
  const PlacedFrame placed{frame, &finding(chunk.index, id.source)};
  if (id.source != group_.rank()) check_bodies(chunk, id, placed, scratch);
  return bodies_on_device(chunk, placed, scratch);
}

}  // namespace tw
