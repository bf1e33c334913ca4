// What kernels find in the frames of others: a word a chunk and rank, which they write and the host reads, so that it
// can name the rank. And chunks whose frames are sent from device memory and received there when the host says so
// (Group::direct): it looks before what was made of them leaves.
#include <algorithm>

#include "collectives/chunk_coder.hpp"
#include "kernels/base/check.hpp"
#include "kernels/frame.hpp"

namespace tw {

// What kernels look at is told in words of its own where frames go from device to device.
ChunkCoder::ChunkCoder(Group& group, const BucketPlan& plan) : group_(group), plan_(plan) {
  if (group.codes_on_device() && group.transport.caps().device_memory)
    findings_room_ = group.buffers.take(plan.chunks().size() * group.ranks() * sizeof(std::uint32_t));
  const std::span<std::byte> room = findings_room_.bytes();
  findings_ = {reinterpret_cast<std::uint32_t*>(room.data()), room.size() / sizeof(std::uint32_t)};
}

void ChunkCoder::forget_findings() { std::ranges::fill(findings_, 0u); }

std::span<std::uint32_t> ChunkCoder::findings_of(const Chunk& chunk) const {
  return findings_.subspan(std::size_t{chunk.index} * group_.ranks(), group_.ranks());
}

void ChunkCoder::refuse_bad_frames(const Chunk& chunk) const {
  if (findings_.empty()) return;
  for (std::uint32_t source = 0; source < group_.ranks(); ++source) {
    const std::uint32_t found = findings_of(chunk)[source];
    const auto name = [&] {
      return detail::concat("frame from rank ", source, " (bucket ", plan_.bucket(), ", chunk ", chunk.index, ")");
    };
    TW_CHECK((found & kStatusBadFrame) == 0, WireError, name(), " is corrupt: its header or checksum is not the ",
             "expected one", source == chunk.owner ? ", or it is a mean that was made of a corrupt frame" : "");
    TW_CHECK((found & kStatusBadPayload) == 0, WireError, name(), " holds indices out of range or order");
  }
}

void ChunkCoder::refuse_bad_frames() const {
  for (const Chunk& chunk : plan_.chunks()) refuse_bad_frames(chunk);
}

ChunkCoder::Bodies ChunkCoder::checked_direct(const Chunk& chunk, const FrameId& id, std::span<std::byte> frame,
                                              Scratch& scratch) {
  TW_CHECK(frame.size() == chunk.layout.max_frame_bytes(), WireError, "frame from rank ", id.source, " (bucket ",
           plan_.bucket(), ", chunk ", chunk.index, ") has ", frame.size(), " bytes, expected ",
           chunk.layout.max_frame_bytes());
  if (id.source != group_.rank()) check_bodies(chunk, id, frame, scratch);
  return bodies_on_device(chunk, id.source, frame, scratch);
}

}  // namespace tw
