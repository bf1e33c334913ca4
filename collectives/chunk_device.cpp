// Chunks whose frames never leave device memory: what the host does for others is done by kernels here.
#include "collectives/chunk_coder.hpp"
#include "kernels/cast.hpp"
#include "kernels/cuda/batch.hpp"
#include "kernels/frame.hpp"
#include "kernels/reduce.hpp"

namespace tw {
namespace {

std::span<std::byte> bytes_of(std::span<float> floats) { return std::as_writable_bytes(floats); }

}  // namespace

void ChunkCoder::seal_on_device(const Chunk& chunk, const FrameId& id, std::span<const std::uint32_t> found,
                                std::span<std::byte> frame) {
  seal_in_place(group_.exec, header_of_fixed_size(id, chunk.layout, group_.checksum), group_.checksum, found, frame);
}

void ChunkCoder::encode_gradient_into(const Chunk& chunk, std::span<std::byte> frame) {
  const PhaseTimer timer(group_.counters.encode_seconds);
  Scratch scratch(group_);
  encode(chunk, gradients_of(chunk, scratch), Hop::worker, frame, scratch);
  seal_on_device(chunk, frame_id(chunk, group_.rank(), Hop::worker), {}, frame);
}

void ChunkCoder::encode_mean_into(const Chunk& chunk, std::span<const float> mean, std::span<std::byte> frame) {
  const PhaseTimer timer(group_.counters.encode_seconds);
  Scratch scratch(group_);
  encode(chunk, means_of(chunk, mean, scratch), Hop::owner, frame, scratch);
  seal_on_device(chunk, frame_id(chunk, group_.rank(), Hop::owner), findings_of(chunk), frame);
}

// The bodies of a frame; what kernels find in them is told in its word.
ChunkCoder::Bodies ChunkCoder::bodies_on_device(const Chunk& chunk, std::uint32_t source, std::span<std::byte> frame,
                                                Scratch& scratch) {
  group_.exec.status = &findings_of(chunk)[source];
  return rooms_in(chunk, frame, scratch);
}

void ChunkCoder::check_frame(const Chunk& chunk, std::uint32_t source, Hop hop, std::span<std::byte> frame) {
  const PhaseTimer timer(group_.counters.decode_seconds);
  Scratch scratch(group_);
  check_bodies(chunk, frame_id(chunk, source, hop), frame, scratch);
}

void ChunkCoder::check_bodies(const Chunk& chunk, const FrameId& id, std::span<std::byte> frame, Scratch& scratch) {
  const auto bodies = bodies_on_device(chunk, id.source, frame, scratch);
  cuda::BatchScope batch(group_.exec);
  check_in_place(group_.exec, header_of_fixed_size(id, chunk.layout, group_.checksum), group_.checksum, frame);
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    batch.begin_job();
    chunk.compressor->codec().check(context_for(id.source, id.hop), bodies[i], chunk.layout.extents()[i]);
  }
  batch.close();
}

void ChunkCoder::decode_gradient_from(const Chunk& chunk, std::uint32_t source, std::span<std::byte> frame,
                                      Combine combine, std::span<float> sum) {
  const PhaseTimer timer(group_.counters.decode_seconds);
  Scratch scratch(group_);
  decode_bodies(chunk, source, bodies_on_device(chunk, source, frame, scratch), combine, sum, scratch);
}

void ChunkCoder::deliver_mean_from(const Chunk& chunk, std::span<std::byte> frame) {
  const PhaseTimer timer(group_.counters.decode_seconds);
  Scratch scratch(group_);
  deliver_bodies(chunk, bodies_on_device(chunk, chunk.owner, frame, scratch), scratch);
}

// The layout's rooms begin behind a header, which has no place here.
void ChunkCoder::encode_payload_into(const Chunk& chunk, std::span<float> payload) {
  const PhaseTimer timer(group_.counters.encode_seconds);
  Scratch scratch(group_);
  const auto inputs = gradients_of(chunk, scratch);
  const auto jobs = scratch.host.take<EncodeJob>(inputs.size());
  const auto body_bytes = scratch.host.take<std::uint32_t>(inputs.size());
  auto rest = bytes_of(payload);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const std::size_t bytes = chunk.compressor->codec().max_bytes(chunk.layout.extents()[i]);
    jobs[i] = {inputs[i], rest.first(bytes)};
    rest = rest.subspan(bytes);
  }
  group_.exec.status = &group_.status(Hop::worker);
  chunk.compressor->encode(context_for(group_.rank(), Hop::worker), jobs, body_bytes);
}

void ChunkCoder::deliver_payload_sum(const Chunk& chunk, std::span<float> payload) {
  const PhaseTimer timer(group_.counters.decode_seconds);
  Scratch scratch(group_);
  divide(group_.exec, payload, static_cast<float>(group_.ranks()));
  group_.exec.status = &group_.status(Hop::owner);
  copy_values(group_.exec, payload, payload);  // NaN becomes canonical, and is found
  const auto extents = chunk.layout.extents();
  const auto bodies = scratch.host.take<std::span<const std::byte>>(extents.size());
  std::span<const std::byte> rest = bytes_of(payload);
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    bodies[i] = rest.first(chunk.compressor->codec().max_bytes(extents[i]));
    rest = rest.subspan(bodies[i].size());
  }
  deliver_bodies(chunk, bodies, scratch);
}

}  // namespace tw
