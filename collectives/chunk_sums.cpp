// Sums that need no decoding: in the trainer's own tensors where encoding loses nothing, and of linear payloads as they
// are.
#include "collectives/chunk_coder.hpp"
#include "kernels/cast.hpp"
#include "kernels/cuda/batch.hpp"
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

// All extents share the launches of what is done to each.
template <class Work>
void for_each_extent(const Exec& exec, const Chunk& chunk, Work work) {
  cuda::BatchScope batch(exec);
  for (std::size_t i = 0; i < chunk.layout.extents().size(); ++i) {
    batch.begin_job();
    work(i);
  }
  batch.close();
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
  for_each_extent(group_.exec, chunk, [&](std::size_t i) { inspect(group_.exec, in_tensor(chunk, i)); });
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
  for_each_extent(group_.exec, chunk, [&](std::size_t i) {
    const std::span<float> tensor = in_tensor(chunk, i);
    accumulate(group_.exec, values.first(tensor.size()), tensor);
    values = values.subspan(tensor.size());
  });
}

OwnFrame ChunkCoder::finish_in_place(const Chunk& chunk) {
  const PhaseTimer timer(group_.counters.encode_seconds);
  Scratch scratch(group_);
  const auto inputs = scratch.host.take<Input>(chunk.layout.extents().size());
  for_each_extent(group_.exec, chunk, [&](std::size_t i) {
    const std::span<float> mean = in_tensor(chunk, i);
    divide(group_.exec, mean, static_cast<float>(group_.ranks()));
    inputs[i] = {chunk.layout.extents()[i].param, chunk.layout.extents()[i].first, mean};
  });
  return encode_frame(chunk, inputs, Hop::owner, Use::sent);
}

OwnFrame ChunkCoder::begin_sum(const Chunk& chunk) { return leaving(chunk, Hop::worker, encode_unsealed(chunk)); }

OwnFrame ChunkCoder::add_to_sum(const Chunk& chunk, std::uint32_t source, Message message) {
  OwnFrame sum = open_sum(chunk, source, std::move(message));
  add_gradient(chunk, sum);
  return leaving(chunk, Hop::worker, std::move(sum));
}

OwnFrame ChunkCoder::finish_sum(const Chunk& chunk, std::uint32_t source, Message message) {
  OwnFrame sum = open_sum(chunk, source, std::move(message));
  if (sums_in_place(chunk)) {
    average_in_place(chunk, sum);
  } else {
    add_gradient(chunk, sum);
    make_mean(chunk, sum);
  }
  return leaving(chunk, Hop::owner, std::move(sum));
}

OwnFrame ChunkCoder::mean_of_one(const Chunk& chunk) {
  OwnFrame sum = encode_unsealed(chunk);
  make_mean(chunk, sum);
  return leaving(chunk, Hop::owner, std::move(sum));
}

OwnFrame ChunkCoder::encode_unsealed(const Chunk& chunk) {
  const PhaseTimer timer(group_.counters.encode_seconds);
  Scratch scratch(group_);
  OwnFrame frame{.encoded = group_.coding_buffer(chunk.layout.max_frame_bytes(), kFrameHeaderBytes)};
  encode(chunk, gradients_of(chunk, scratch), Hop::worker, frame.encoded.bytes(), scratch);
  return frame;
}

// A sum grows where it came, or on a device that cannot be received to, in a copy.
OwnFrame ChunkCoder::open_sum(const Chunk& chunk, std::uint32_t source, Message message) {
  const PhaseTimer timer(group_.counters.decode_seconds);
  Scratch scratch(group_);
  Buffer came = std::move(message.buffer);
  came.shrink(message.request.received_bytes(0));
  const FrameId id = frame_id(chunk, source, Hop::worker);
  if (group_.direct())
    checked_direct(chunk, id, came.bytes(), scratch);
  else
    open(chunk, id, came.bytes(), scratch);
  if (!group_.staged()) return {.encoded = std::move(came)};
  OwnFrame sum{std::move(came), group_.coding_buffer(chunk.layout.max_frame_bytes(), kFrameHeaderBytes)};
  copy_bytes(group_.exec, sum.buffer.bytes().subspan(kFrameHeaderBytes),
             sum.encoded.bytes().subspan(kFrameHeaderBytes));
  return sum;
}

void ChunkCoder::add_gradient(const Chunk& chunk, OwnFrame& sum) {
  if (sums_in_place(chunk)) {
    inspect_gradient(chunk);
    const PhaseTimer timer(group_.counters.decode_seconds);
    for_each_extent(group_.exec, chunk, [&](std::size_t i) {
      accumulate(group_.exec, in_tensor(chunk, i), body_of(chunk, i, sum.encoded));
    });
    return;
  }
  OwnFrame own = encode_unsealed(chunk);
  const PhaseTimer timer(group_.counters.decode_seconds);
  accumulate(group_.exec, payload_of(own.encoded), payload_of(sum.encoded));
}

// The last addition in the tensors themselves: the mean needs no delivery then.
void ChunkCoder::average_in_place(const Chunk& chunk, OwnFrame& sum) {
  inspect_gradient(chunk);
  const PhaseTimer timer(group_.counters.decode_seconds);
  group_.exec.status = &group_.status(Hop::owner);
  for_each_extent(group_.exec, chunk, [&](std::size_t i) {
    average(group_.exec, in_tensor(chunk, i), static_cast<float>(group_.ranks()), body_of(chunk, i, sum.encoded));
  });
}

void ChunkCoder::make_mean(const Chunk& chunk, OwnFrame& sum) {
  const PhaseTimer timer(group_.counters.decode_seconds);
  const std::span<float> mean = payload_of(sum.encoded);
  divide(group_.exec, mean, static_cast<float>(group_.ranks()));
  group_.exec.status = &group_.status(Hop::owner);
  copy_values(group_.exec, mean, mean);  // NaN becomes canonical
  Scratch scratch(group_);
  deliver_bodies(chunk, rooms_in(chunk, sum.encoded.bytes(), scratch), scratch);
}

OwnFrame ChunkCoder::leaving(const Chunk& chunk, Hop hop, OwnFrame sum) {
  const PhaseTimer timer(group_.counters.encode_seconds);
  bring_out(chunk, hop, sum);
  sum.encoded.release();
  return sum;
}

}  // namespace tw
