// Sums that need no decoding: in the trainer's own tensors where encoding loses nothing, and of linear payloads as they
// are.
#include "collectives/chunk_coder.hpp"
#include "kernels/cast.hpp"
#include "kernels/inspect.hpp"
#include "kernels/reduce.hpp"

namespace tw {
namespace {

// All bodies of a frame of fixed size, padding included, as the floats that linear payloads are.
std::span<float> floats_of(std::span<std::byte> bytes) {
  return {reinterpret_cast<float*>(bytes.data()), bytes.size() / sizeof(float)};
}
std::span<float> payload_of(Buffer& frame) { return floats_of(frame.bytes().subspan(kFrameHeaderBytes)); }
// The values of one extent in it.
std::span<float> body_of(const Chunk& chunk, std::size_t extent, Buffer& frame) {
  return floats_of(chunk.layout.body_room(frame.bytes(), extent)).first(chunk.layout.extents()[extent].count);
}

}  // namespace

// An extent where the trainer keeps it; only of chunks that are summed in place.
std::span<float> ChunkCoder::in_tensor(const Chunk& chunk, std::size_t extent) const {
  const Extent& where = chunk.layout.extents()[extent];
  std::byte* address = address_of(pieces_[chunk.piece_of_extent[extent]], where);
  return {reinterpret_cast<float*>(address), where.count};
}

bool ChunkCoder::sums_in_place(const Chunk& chunk) const {
  if (chunk.compressor->memory() != nullptr) return false;
  for (std::size_t i = 0; i < chunk.layout.extents().size(); ++i) {
    const TensorView& data = pieces_[chunk.piece_of_extent[i]].data;
    const bool lossless = chunk.compressor->codec().traits(*chunk.layout.extents()[i].param).lossless;
    if (!lossless || data.data == nullptr || data.dtype != DType::f32) return false;
  }
  return true;
}

void ChunkCoder::inspect_gradient(const Chunk& chunk) {
  const PhaseTimer timer(group_.counters.encode_seconds);
  group_.exec.status = &group_.status(Hop::worker);
  for (std::size_t i = 0; i < chunk.layout.extents().size(); ++i) inspect(group_.exec, in_tensor(chunk, i));
}

void ChunkCoder::add_in_place(const Chunk& chunk, std::uint32_t source, Message message) {
  const PhaseTimer timer(group_.counters.decode_seconds);
  Scratch scratch(group_);
  const auto bodies = arrived(chunk, frame_id(chunk, source, Hop::worker), message, scratch);
  const auto extents = chunk.layout.extents();
  const auto jobs = scratch.host.take<DecodeJob>(extents.size());
  for (std::size_t i = 0; i < jobs.size(); ++i)
    jobs[i] = {bodies[i], {extents[i].param, extents[i].first, in_tensor(chunk, i)}};
  chunk.compressor->decode(context_for(source, Hop::worker), jobs, Combine::add, 1.0f);
  group_.retire(std::move(message.buffer));
}

void ChunkCoder::add_in_place(const Chunk& chunk, std::span<const float> values) {
  const PhaseTimer timer(group_.counters.decode_seconds);
  for (std::size_t i = 0; i < chunk.layout.extents().size(); ++i) {
    const std::span<float> tensor = in_tensor(chunk, i);
    accumulate(group_.exec, values.first(tensor.size()), tensor);
    values = values.subspan(tensor.size());
  }
}

OwnFrame ChunkCoder::finish_in_place(const Chunk& chunk) {
  const PhaseTimer timer(group_.counters.encode_seconds);
  Scratch scratch(group_);
  const auto inputs = scratch.host.take<Input>(chunk.layout.extents().size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::span<float> mean = in_tensor(chunk, i);
    divide(group_.exec, mean, static_cast<float>(group_.ranks()));
    inputs[i] = {chunk.layout.extents()[i].param, chunk.layout.extents()[i].first, mean};
  }
  return encode_frame(chunk, inputs, Hop::owner, Use::sent);
}

void ChunkCoder::finish_in_place(const Chunk& chunk, std::uint32_t source, Buffer& sum, std::size_t received_bytes) {
  open_sum(chunk, source, sum, received_bytes);
  inspect_gradient(chunk);
  {
    const PhaseTimer timer(group_.counters.decode_seconds);
    group_.exec.status = &group_.status(Hop::owner);
    for (std::size_t i = 0; i < chunk.layout.extents().size(); ++i)
      average(group_.exec, in_tensor(chunk, i), static_cast<float>(group_.ranks()), body_of(chunk, i, sum));
  }
  seal(chunk, Hop::owner, sum);
}

Buffer ChunkCoder::encode_unsealed(const Chunk& chunk) {
  const PhaseTimer timer(group_.counters.encode_seconds);
  Scratch scratch(group_);
  const std::size_t bytes = chunk.layout.max_frame_bytes();
  Buffer frame = group_.direct() ? group_.coding_buffer(bytes, kFrameHeaderBytes) : group_.frame_buffer(bytes);
  encode(chunk, gradients_of(chunk, scratch), Hop::worker, frame.bytes(), scratch);
  return frame;
}

void ChunkCoder::add_gradient(const Chunk& chunk, std::uint32_t source, Buffer& sum, std::size_t received_bytes) {
  open_sum(chunk, source, sum, received_bytes);
  if (sums_in_place(chunk)) {
    inspect_gradient(chunk);
    const PhaseTimer timer(group_.counters.decode_seconds);
    for (std::size_t i = 0; i < chunk.layout.extents().size(); ++i)
      accumulate(group_.exec, in_tensor(chunk, i), body_of(chunk, i, sum));
    return;
  }
  Buffer own = encode_unsealed(chunk);
  const PhaseTimer timer(group_.counters.decode_seconds);
  accumulate(group_.exec, payload_of(own), payload_of(sum));
}

void ChunkCoder::open_sum(const Chunk& chunk, std::uint32_t source, Buffer& sum, std::size_t received_bytes) {
  const PhaseTimer timer(group_.counters.decode_seconds);
  Scratch scratch(group_);
  sum.shrink(received_bytes);
  const FrameId id = frame_id(chunk, source, Hop::worker);
  if (group_.direct())
    checked_direct(chunk, id, sum.bytes(), scratch);
  else
    open(chunk, id, sum.bytes(), scratch);
}

void ChunkCoder::divide_payload(Buffer& own) {
  const PhaseTimer timer(group_.counters.decode_seconds);
  const std::span<float> mean = payload_of(own);
  divide(group_.exec, mean, static_cast<float>(group_.ranks()));
  group_.exec.status = &group_.status(Hop::owner);
  copy_values(group_.exec, mean, mean);  // NaN becomes canonical
}

void ChunkCoder::seal(const Chunk& chunk, Hop hop, Buffer& own) {
  const PhaseTimer timer(group_.counters.encode_seconds);
  const FrameId id = frame_id(chunk, group_.rank(), hop);
  if (group_.direct())
    seal_on_device(chunk, id, {}, own.bytes());
  else
    seal_frame(id, chunk.layout, group_.checksum, {}, own.bytes());
}

}  // namespace tw
