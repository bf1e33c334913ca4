#include "collectives/chunk_coder.hpp"

#include <algorithm>

#include "kernels/cast.hpp"
#include "kernels/inspect.hpp"
#include "kernels/reduce.hpp"

namespace tw {
namespace {

// Casts at the border to 16-bit tensors report nothing: encoding looks at the values.
Exec silent(Exec exec) {
  exec.status = nullptr;
  return exec;
}

// All bodies of a frame of fixed size, padding included, as the floats that linear payloads are.
std::span<float> floats_of(std::span<std::byte> bytes) {
  return {reinterpret_cast<float*>(bytes.data()), bytes.size() / sizeof(float)};
}
std::span<float> payload_of(Buffer& frame) { return floats_of(frame.bytes().subspan(kFrameHeaderBytes)); }
// The values of one extent in it.
std::span<float> body_of(const Chunk& chunk, std::size_t extent, Buffer& frame) {
  return floats_of(chunk.layout.body_room(frame.bytes(), extent)).first(chunk.layout.extents()[extent].count);
}

// Where an extent lies in the trainer's tensor, or null where it is absent.
std::byte* address_of(const Piece& piece, const Extent& extent) {
  if (piece.data.data == nullptr) return nullptr;
  return static_cast<std::byte*>(piece.data.data) + (extent.first - piece.first) * bytes_of(piece.data.dtype);
}

}  // namespace

Context ChunkCoder::context_for(std::uint32_t rank, Hop hop) const {
  return {group_.exec, {group_.seed, group_.step.step, rank, hop}, group_.step, &group_.state};
}

FrameId ChunkCoder::frame_id(const Chunk& chunk, std::uint32_t source, Hop hop) const {
  FrameId id;
  id.communicator = group_.communicator;
  id.codec = chunk.compressor->codec().id();
  id.hop = hop;
  id.plan_hash = plan_.hash();
  id.codec_hash = chunk.compressor->codec_hash();
  id.epoch = group_.epoch;
  id.bucket = plan_.bucket();
  id.step = group_.step.step;
  id.chunk = chunk.index;
  id.source = source;
  return id;
}

Input ChunkCoder::gradient_of(const Chunk& chunk, std::size_t extent, Arena::Scope& scratch) const {
  const Extent& where = chunk.layout.extents()[extent];
  const Piece& piece = pieces_[chunk.piece_of_extent[extent]];
  const std::byte* address = address_of(piece, where);
  if (address != nullptr && piece.data.dtype == DType::f32)
    return {where.param, where.first, {reinterpret_cast<const float*>(address), where.count}};
  const std::span<float> values = scratch.take<float>(where.count);
  if (address == nullptr)
    std::fill(values.begin(), values.end(), 0.0f);
  else
    widen(silent(group_.exec), {reinterpret_cast<const std::uint16_t*>(address), where.count}, piece.data.dtype, {},
          values);
  return {where.param, where.first, values};
}

std::span<const Input> ChunkCoder::gradients_of(const Chunk& chunk, Arena::Scope& scratch) const {
  const auto inputs = scratch.take<Input>(chunk.layout.extents().size());
  for (std::size_t i = 0; i < inputs.size(); ++i) inputs[i] = gradient_of(chunk, i, scratch);
  return inputs;
}

std::span<const std::uint32_t> ChunkCoder::encode(const Chunk& chunk, std::span<const Input> inputs, Hop hop,
                                                  Buffer& frame, Arena::Scope& scratch) {
  frame = group_.frame_buffer(chunk.layout.max_frame_bytes());
  const auto jobs = scratch.take<EncodeJob>(inputs.size());
  const auto body_bytes = scratch.take<std::uint32_t>(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) jobs[i] = {inputs[i], chunk.layout.body_room(frame.bytes(), i)};
  group_.exec.status = hop == Hop::worker ? &group_.worker_status : &group_.owner_status;
  chunk.compressor->encode(context_for(group_.rank(), hop), jobs, body_bytes);
  return body_bytes;
}

Buffer ChunkCoder::encode_and_seal(const Chunk& chunk, std::span<const Input> inputs, Hop hop, Checksum checksum) {
  Arena::Scope scratch(group_.arena);
  Buffer frame;
  const auto body_bytes = encode(chunk, inputs, hop, frame, scratch);
  frame.shrink(seal_frame(frame_id(chunk, group_.rank(), hop), chunk.layout, checksum, body_bytes, frame.bytes()));
  return frame;
}

Buffer ChunkCoder::encode_gradient(const Chunk& chunk) {
  const PhaseTimer timer(group_.counters.encode_seconds);
  Arena::Scope scratch(group_.arena);
  return encode_and_seal(chunk, gradients_of(chunk, scratch), Hop::worker, group_.checksum);
}

Buffer ChunkCoder::encode_own_gradient(const Chunk& chunk) {
  const PhaseTimer timer(group_.counters.encode_seconds);
  Arena::Scope scratch(group_.arena);
  return encode_and_seal(chunk, gradients_of(chunk, scratch), Hop::worker, Checksum::none);
}

Buffer ChunkCoder::encode_mean(const Chunk& chunk, std::span<const float> mean) {
  const PhaseTimer timer(group_.counters.encode_seconds);
  Arena::Scope scratch(group_.arena);
  const auto extents = chunk.layout.extents();
  const auto inputs = scratch.take<Input>(extents.size());
  std::size_t begin = 0;
  for (std::size_t i = 0; i < inputs.size(); begin += extents[i].count, ++i)
    inputs[i] = {extents[i].param, extents[i].first, mean.subspan(begin, extents[i].count)};
  return encode_and_seal(chunk, inputs, Hop::owner, group_.checksum);
}

ChunkCoder::Bodies ChunkCoder::open(const Chunk& chunk, const FrameId& id, std::span<const std::byte> frame,
                                    Arena::Scope& scratch) const {
  const auto extents = chunk.layout.extents();
  const auto bodies = scratch.take<std::span<const std::byte>>(extents.size());
  if (id.source == group_.rank()) {  // made here, never travelled
    split_frame(id, chunk.layout, frame, bodies);
    return bodies;
  }
  open_frame(id, chunk.layout, group_.checksum, frame, bodies);
  const Context context = context_for(id.source, id.hop);
  for (std::size_t i = 0; i < extents.size(); ++i) chunk.compressor->codec().validate(context, bodies[i], extents[i]);
  return bodies;
}

void ChunkCoder::decode_gradient(const Chunk& chunk, std::uint32_t source, std::span<const std::byte> frame,
                                 Combine combine, std::span<float> sum) {
  const PhaseTimer timer(group_.counters.decode_seconds);
  Arena::Scope scratch(group_.arena);
  const auto bodies = open(chunk, frame_id(chunk, source, Hop::worker), frame, scratch);
  const auto extents = chunk.layout.extents();
  const auto jobs = scratch.take<DecodeJob>(extents.size());
  std::size_t begin = 0;
  for (std::size_t i = 0; i < jobs.size(); begin += extents[i].count, ++i)
    jobs[i] = {bodies[i], {extents[i].param, extents[i].first, sum.subspan(begin, extents[i].count)}};
  chunk.compressor->decode(context_for(source, Hop::worker), jobs, combine, 1.0f);
}

void ChunkCoder::deliver_mean(const Chunk& chunk, std::span<const std::byte> frame) {
  const PhaseTimer timer(group_.counters.decode_seconds);
  Arena::Scope scratch(group_.arena);
  const auto bodies = open(chunk, frame_id(chunk, chunk.owner, Hop::owner), frame, scratch);
  const auto extents = chunk.layout.extents();
  const auto jobs = scratch.take<DecodeJob>(extents.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const Piece& piece = pieces_[chunk.piece_of_extent[i]];
    std::byte* address = address_of(piece, extents[i]);
    const bool in_place = address != nullptr && piece.data.dtype == DType::f32;
    const std::span<float> values = in_place ? std::span(reinterpret_cast<float*>(address), extents[i].count)
                                             : scratch.take<float>(extents[i].count);
    jobs[i] = {bodies[i], {extents[i].param, extents[i].first, values}};
  }
  chunk.compressor->decode(context_for(chunk.owner, Hop::owner), jobs, Combine::assign, 1.0f);
  for (std::size_t i = 0; i < jobs.size(); ++i) deliver_run(chunk, i, jobs[i].output);
}

void ChunkCoder::deliver_values(const Chunk& chunk, std::span<const float> mean) {
  const PhaseTimer timer(group_.counters.decode_seconds);
  group_.exec.status = &group_.owner_status;
  inspect(group_.exec, mean);
  const auto extents = chunk.layout.extents();
  std::size_t begin = 0;
  Arena::Scope scratch(group_.arena);
  for (std::size_t i = 0; i < extents.size(); begin += extents[i].count, ++i) {
    const auto values = scratch.take<float>(extents[i].count);
    std::copy_n(mean.begin() + static_cast<std::ptrdiff_t>(begin), extents[i].count, values.begin());
    deliver_run(chunk, i, {extents[i].param, extents[i].first, values});
  }
}

void ChunkCoder::deliver_run(const Chunk& chunk, std::size_t extent, const Output& mean) const {
  chunk.compressor->deliver(context_for(chunk.owner, Hop::owner), mean);
  const Piece& piece = pieces_[chunk.piece_of_extent[extent]];
  std::byte* address = address_of(piece, chunk.layout.extents()[extent]);
  if (address == nullptr || static_cast<void*>(address) == mean.values.data()) return;
  if (piece.data.dtype == DType::f32)
    std::copy(mean.values.begin(), mean.values.end(), reinterpret_cast<float*>(address));
  else
    narrow(silent(group_.exec), mean.values, piece.data.dtype,
           {reinterpret_cast<std::uint16_t*>(address), mean.values.size()});
}

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
  group_.exec.status = &group_.worker_status;
  for (std::size_t i = 0; i < chunk.layout.extents().size(); ++i) inspect(group_.exec, in_tensor(chunk, i));
}

void ChunkCoder::add_in_place(const Chunk& chunk, std::uint32_t source, std::span<const std::byte> frame) {
  const PhaseTimer timer(group_.counters.decode_seconds);
  Arena::Scope scratch(group_.arena);
  const auto bodies = open(chunk, frame_id(chunk, source, Hop::worker), frame, scratch);
  const auto extents = chunk.layout.extents();
  const auto jobs = scratch.take<DecodeJob>(extents.size());
  for (std::size_t i = 0; i < jobs.size(); ++i)
    jobs[i] = {bodies[i], {extents[i].param, extents[i].first, in_tensor(chunk, i)}};
  chunk.compressor->decode(context_for(source, Hop::worker), jobs, Combine::add, 1.0f);
}

void ChunkCoder::add_in_place(const Chunk& chunk, std::span<const float> values) {
  const PhaseTimer timer(group_.counters.decode_seconds);
  for (std::size_t i = 0; i < chunk.layout.extents().size(); ++i) {
    const std::span<float> tensor = in_tensor(chunk, i);
    accumulate(group_.exec, values.first(tensor.size()), tensor);
    values = values.subspan(tensor.size());
  }
}

Buffer ChunkCoder::finish_in_place(const Chunk& chunk) {
  const PhaseTimer timer(group_.counters.encode_seconds);
  Arena::Scope scratch(group_.arena);
  const auto inputs = scratch.take<Input>(chunk.layout.extents().size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::span<float> mean = in_tensor(chunk, i);
    divide(group_.exec, mean, static_cast<float>(group_.ranks()));
    inputs[i] = {chunk.layout.extents()[i].param, chunk.layout.extents()[i].first, mean};
  }
  return encode_and_seal(chunk, inputs, Hop::owner, group_.checksum);
}

void ChunkCoder::finish_in_place(const Chunk& chunk, std::uint32_t source, Buffer& sum, std::size_t received_bytes) {
  open_sum(chunk, source, sum, received_bytes);
  inspect_gradient(chunk);
  {
    const PhaseTimer timer(group_.counters.decode_seconds);
    group_.exec.status = &group_.owner_status;
    for (std::size_t i = 0; i < chunk.layout.extents().size(); ++i)
      average(group_.exec, in_tensor(chunk, i), static_cast<float>(group_.ranks()), body_of(chunk, i, sum));
  }
  seal(chunk, Hop::owner, sum);
}

Buffer ChunkCoder::encode_unsealed(const Chunk& chunk) {
  const PhaseTimer timer(group_.counters.encode_seconds);
  Arena::Scope scratch(group_.arena);
  Buffer frame;
  encode(chunk, gradients_of(chunk, scratch), Hop::worker, frame, scratch);
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
  Arena::Scope scratch(group_.arena);
  sum.shrink(received_bytes);
  open(chunk, frame_id(chunk, source, Hop::worker), sum.bytes(), scratch);
}

void ChunkCoder::divide_payload(Buffer& own) {
  const PhaseTimer timer(group_.counters.decode_seconds);
  const std::span<float> mean = payload_of(own);
  divide(group_.exec, mean, static_cast<float>(group_.ranks()));
  group_.exec.status = &group_.owner_status;
  copy_values(group_.exec, mean, mean);  // NaN becomes canonical
}

void ChunkCoder::seal(const Chunk& chunk, Hop hop, Buffer& own) {
  const PhaseTimer timer(group_.counters.encode_seconds);
  seal_frame(frame_id(chunk, group_.rank(), hop), chunk.layout, group_.checksum, {}, own.bytes());
}

}  // namespace tw
