#include "collectives/chunk_coder.hpp"

#include <algorithm>

#include "kernels/cast.hpp"
#include "kernels/clear.hpp"
#include "kernels/cuda/batch.hpp"

namespace tw {
namespace {

// In front of a received frame, so that its bodies are aligned.
constexpr std::size_t kReceivedLead = BufferPool::kAlignment - kFrameHeaderBytes % BufferPool::kAlignment;

// Casts at the border to 16-bit tensors report nothing: encoding looks at the values.
Exec silent(Exec exec) {
  exec.status = nullptr;
  return exec;
}

}  // namespace

// Where an extent lies in the trainer's tensor, or null where it is absent.
std::byte* ChunkCoder::address_of(const Piece& piece, const Extent& extent) {
  if (piece.data.data == nullptr) return nullptr;
  return static_cast<std::byte*>(piece.data.data) + (extent.first - piece.first) * bytes_of(piece.data.dtype);
}

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

// Where an extent lies as f32: in the trainer's tensor, or in scratch memory where that is absent or narrower.
std::span<float> ChunkCoder::room_for(const Chunk& chunk, std::size_t extent, Scratch& scratch) const {
  const Extent& where = chunk.layout.extents()[extent];
  const Piece& piece = pieces_[chunk.piece_of_extent[extent]];
  std::byte* address = address_of(piece, where);
  if (address == nullptr || piece.data.dtype != DType::f32) return scratch.coding.take<float>(where.count);
  return {reinterpret_cast<float*>(address), where.count};
}

void ChunkCoder::fetch_gradient(const Chunk& chunk, std::size_t extent, std::span<float> values) const {
  const Piece& piece = pieces_[chunk.piece_of_extent[extent]];
  const std::byte* address = address_of(piece, chunk.layout.extents()[extent]);
  if (address == nullptr)
    clear_bytes(group_.exec, std::as_writable_bytes(values));
  else if (piece.data.dtype != DType::f32)
    widen(silent(group_.exec), {reinterpret_cast<const std::uint16_t*>(address), values.size()}, piece.data.dtype, {},
          values);
}

// Memory is taken before the batch is open: what is taken meanwhile goes with it.
std::span<const Input> ChunkCoder::gradients_of(const Chunk& chunk, Scratch& scratch) const {
  const auto extents = chunk.layout.extents();
  const auto inputs = scratch.host.take<Input>(extents.size());
  const auto rooms = scratch.host.take<std::span<float>>(extents.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    rooms[i] = room_for(chunk, i, scratch);
    inputs[i] = {extents[i].param, extents[i].first, rooms[i]};
  }
  cuda::BatchScope batch(group_.exec);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    batch.begin_job();
    fetch_gradient(chunk, i, rooms[i]);
  }
  batch.close();
  return inputs;
}

std::span<const std::uint32_t> ChunkCoder::encode(const Chunk& chunk, std::span<const Input> inputs, Hop hop,
                                                  std::span<std::byte> frame, Scratch& scratch) {
  const auto jobs = scratch.host.take<EncodeJob>(inputs.size());
  const auto body_bytes = scratch.host.take<std::uint32_t>(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) jobs[i] = {inputs[i], chunk.layout.body_room(frame, i)};
  group_.exec.status = &group_.status(hop);
  chunk.compressor->encode(context_for(group_.rank(), hop), jobs, body_bytes);
  return body_bytes;
}

OwnFrame ChunkCoder::encode_frame(const Chunk& chunk, std::span<const Input> inputs, Hop hop, Use use) {
  Scratch scratch(group_);
  const std::size_t bytes = chunk.layout.max_frame_bytes();
  OwnFrame frame;
  if (!group_.codes_on_device()) {
    frame.buffer = group_.frame_buffer(bytes);
    const auto body_bytes = encode(chunk, inputs, hop, frame.buffer.bytes(), scratch);
    const Checksum checksum = use == Use::sent ? group_.checksum : Checksum::none;
    frame.buffer.shrink(
        seal_frame(frame_id(chunk, group_.rank(), hop), chunk.layout, checksum, body_bytes, frame.buffer.bytes()));
    frame.sealed = true;
    return frame;
  }
  frame.encoded = group_.coding_buffer(bytes, kFrameHeaderBytes);
  encode(chunk, inputs, hop, frame.encoded.bytes(), scratch);
  if (use == Use::sent) bring_out(chunk, hop, frame);
  return frame;
}

// From where it was encoded to where it is sent from, which may be there already.
void ChunkCoder::bring_out(const Chunk& chunk, Hop hop, OwnFrame& frame) {
  if (!group_.staged()) {
    frame.buffer = std::move(frame.encoded);
    if (group_.direct()) seal_on_device(chunk, frame_id(chunk, group_.rank(), hop), {}, frame.buffer.bytes());
  } else {
    if (frame.buffer.bytes().empty()) frame.buffer = group_.frame_buffer(frame.encoded.bytes().size());
    copy_bytes(group_.exec, frame.encoded.bytes().subspan(kFrameHeaderBytes),
               frame.buffer.bytes().subspan(kFrameHeaderBytes));
  }
  frame.made = group_.mark();
}

OwnFrame ChunkCoder::encode_gradient(const Chunk& chunk) {
  const PhaseTimer timer(group_.counters.encode_seconds);
  Scratch scratch(group_);
  return encode_frame(chunk, gradients_of(chunk, scratch), Hop::worker, Use::sent);
}

OwnFrame ChunkCoder::encode_own_gradient(const Chunk& chunk) {
  const PhaseTimer timer(group_.counters.encode_seconds);
  Scratch scratch(group_);
  return encode_frame(chunk, gradients_of(chunk, scratch), Hop::worker, Use::here);
}

std::span<const Input> ChunkCoder::means_of(const Chunk& chunk, std::span<const float> mean, Scratch& scratch) const {
  const auto extents = chunk.layout.extents();
  const auto inputs = scratch.host.take<Input>(extents.size());
  std::size_t begin = 0;
  for (std::size_t i = 0; i < inputs.size(); begin += extents[i].count, ++i)
    inputs[i] = {extents[i].param, extents[i].first, mean.subspan(begin, extents[i].count)};
  return inputs;
}

OwnFrame ChunkCoder::encode_mean(const Chunk& chunk, std::span<const float> mean) {
  const PhaseTimer timer(group_.counters.encode_seconds);
  Scratch scratch(group_);
  return encode_frame(chunk, means_of(chunk, mean, scratch), Hop::owner, Use::sent);
}

void ChunkCoder::take_scratch() {
  if (!group_.codes_on_device()) return;
  const std::vector<Piece> absent = plan_.absent_pieces();  // which take the most
  bind(absent);
  for (const Chunk& chunk : plan_.chunks()) take_scratch_for(chunk);
  bind({});
  group_.state.rollback();
}

// Encoding this rank's gradient, and delivering a mean that came to the host. What is gathered in each batch is dropped
// with it, and nothing enqueued.
void ChunkCoder::take_scratch_for(const Chunk& chunk) {
  OwnFrame frame;
  frame.encoded = group_.coding_buffer(chunk.layout.max_frame_bytes(), kFrameHeaderBytes);
  {
    const cuda::BatchScope dropped(group_.exec);
    Scratch scratch(group_);
    encode(chunk, gradients_of(chunk, scratch), Hop::worker, frame.encoded.bytes(), scratch);
  }
  const cuda::BatchScope dropped(group_.exec);
  Scratch scratch(group_);
  if (group_.staged()) scratch.coding.take<std::byte>(kReceivedLead + frame.encoded.bytes().size());
  deliver_bodies(chunk, bodies_of(chunk, frame, Hop::owner, scratch), scratch);
}

// Codecs that work on a device, and those of sums, are of fixed size.
bool ChunkCoder::ready(const Chunk& chunk, Hop hop, OwnFrame& frame) {
  if (frame.sealed) return true;
  if (!group_.reached(frame.made)) return false;
  if (group_.direct()) {
    refuse_bad_frames(chunk);
    return frame.sealed = true;
  }
  const PhaseTimer timer(group_.counters.encode_seconds);
  seal_frame(frame_id(chunk, group_.rank(), hop), chunk.layout, group_.checksum, {}, frame.buffer.bytes());
  return frame.sealed = true;
}

ChunkCoder::Bodies ChunkCoder::open(const Chunk& chunk, const FrameId& id, std::span<const std::byte> frame,
                                    Scratch& scratch) const {
  const auto extents = chunk.layout.extents();
  const auto bodies = scratch.host.take<std::span<const std::byte>>(extents.size());
  if (id.source == group_.rank()) {  // made here, never travelled
    split_frame(id, chunk.layout, frame, bodies);
    return bodies;
  }
  open_frame(id, chunk.layout, group_.checksum, frame, bodies);
  const Context context = context_for(id.source, id.hop);
  for (std::size_t i = 0; i < extents.size(); ++i) chunk.compressor->codec().validate(context, bodies[i], extents[i]);
  return bodies;
}

ChunkCoder::Bodies ChunkCoder::bodies_of(const Chunk& chunk, OwnFrame& frame, Hop hop, Scratch& scratch) const {
  if (!group_.codes_on_device()) return open(chunk, frame_id(chunk, group_.rank(), hop), frame.buffer.bytes(), scratch);
  return rooms_in(chunk, (frame.encoded.bytes().empty() ? frame.buffer : frame.encoded).bytes(), scratch);
}

// Bodies of a frame of fixed size.
ChunkCoder::Bodies ChunkCoder::rooms_in(const Chunk& chunk, std::span<std::byte> frame, Scratch& scratch) const {
  const auto bodies = scratch.host.take<std::span<const std::byte>>(chunk.layout.extents().size());
  for (std::size_t i = 0; i < bodies.size(); ++i) bodies[i] = chunk.layout.body_room(frame, i);
  return bodies;
}

// Bodies of a message where codecs work. They keep their places in the frame, and so their alignment.
ChunkCoder::Bodies ChunkCoder::brought_in(Bodies bodies, const Message& message, Scratch& scratch) const {
  if (!group_.codes_on_device()) return bodies;
  const auto from = message.received();
  const auto to = scratch.coding.take<std::byte>(kReceivedLead + from.size()).subspan(kReceivedLead);
  copy_bytes(group_.exec, from.subspan(kFrameHeaderBytes), to.subspan(kFrameHeaderBytes));
  const auto moved = scratch.host.take<std::span<const std::byte>>(bodies.size());
  for (std::size_t i = 0; i < bodies.size(); ++i)
    moved[i] = to.subspan(static_cast<std::size_t>(bodies[i].data() - from.data()), bodies[i].size());
  return moved;
}

// Bodies of what another rank sent, where codecs work.
ChunkCoder::Bodies ChunkCoder::arrived(const Chunk& chunk, const FrameId& id, Message& message, Scratch& scratch) {
  if (!group_.direct()) return brought_in(open(chunk, id, message.received(), scratch), message, scratch);
  return checked_direct(chunk, id, message.buffer.bytes().first(message.received().size()), scratch);
}

void ChunkCoder::decode_bodies(const Chunk& chunk, std::uint32_t source, Bodies bodies, Combine combine,
                               std::span<float> sum, Scratch& scratch) {
  const auto extents = chunk.layout.extents();
  const auto jobs = scratch.host.take<DecodeJob>(extents.size());
  std::size_t begin = 0;
  for (std::size_t i = 0; i < jobs.size(); begin += extents[i].count, ++i)
    jobs[i] = {bodies[i], {extents[i].param, extents[i].first, sum.subspan(begin, extents[i].count)}};
  chunk.compressor->decode(context_for(source, Hop::worker), jobs, combine, 1.0f);
}

void ChunkCoder::decode_gradient(const Chunk& chunk, std::uint32_t source, Message message, Combine combine,
                                 std::span<float> sum) {
  const PhaseTimer timer(group_.counters.decode_seconds);
  Scratch scratch(group_);
  const auto bodies = arrived(chunk, frame_id(chunk, source, Hop::worker), message, scratch);
  decode_bodies(chunk, source, bodies, combine, sum, scratch);
  group_.retire(std::move(message.buffer));
}

void ChunkCoder::decode_gradient(const Chunk& chunk, OwnFrame& frame, Combine combine, std::span<float> sum) {
  const PhaseTimer timer(group_.counters.decode_seconds);
  Scratch scratch(group_);
  decode_bodies(chunk, group_.rank(), bodies_of(chunk, frame, Hop::worker, scratch), combine, sum, scratch);
}

void ChunkCoder::deliver_bodies(const Chunk& chunk, Bodies bodies, Scratch& scratch) {
  const auto extents = chunk.layout.extents();
  const auto jobs = scratch.host.take<DecodeJob>(extents.size());
  for (std::size_t i = 0; i < jobs.size(); ++i)
    jobs[i] = {bodies[i], {extents[i].param, extents[i].first, room_for(chunk, i, scratch)}};
  chunk.compressor->decode(context_for(chunk.owner, Hop::owner), jobs, Combine::assign, 1.0f);
  cuda::BatchScope batch(group_.exec);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    batch.begin_job();
    deliver_run(chunk, i, jobs[i].output);
  }
  batch.close();
}

void ChunkCoder::deliver_arrived(const Chunk& chunk, Message& message) {
  const PhaseTimer timer(group_.counters.decode_seconds);
  Scratch scratch(group_);
  deliver_bodies(chunk, arrived(chunk, frame_id(chunk, chunk.owner, Hop::owner), message, scratch), scratch);
}

void ChunkCoder::deliver_mean(const Chunk& chunk, Message message) {
  deliver_arrived(chunk, message);
  group_.retire(std::move(message.buffer));
}

// Where the host looked, others may have it as it is.
OwnFrame ChunkCoder::take_mean(const Chunk& chunk, Message message, Use use) {
  deliver_arrived(chunk, message);
  OwnFrame mean{.buffer = std::move(message.buffer), .sealed = !group_.direct()};
  mean.buffer.shrink(message.request.received_bytes(0));
  if (group_.direct() && use == Use::sent)
    seal_on_device(chunk, frame_id(chunk, chunk.owner, Hop::owner), {}, mean.buffer.bytes());
  mean.made = group_.mark();
  return mean;
}

void ChunkCoder::deliver_mean(const Chunk& chunk, OwnFrame& frame) {
  const PhaseTimer timer(group_.counters.decode_seconds);
  Scratch scratch(group_);
  deliver_bodies(chunk, bodies_of(chunk, frame, Hop::owner, scratch), scratch);
}

void ChunkCoder::deliver_values(const Chunk& chunk, std::span<const float> mean) {
  const PhaseTimer timer(group_.counters.decode_seconds);
  group_.exec.status = &group_.status(Hop::owner);
  const auto extents = chunk.layout.extents();
  std::size_t begin = 0;
  Scratch scratch(group_);
  cuda::BatchScope batch(group_.exec);
  for (std::size_t i = 0; i < extents.size(); begin += extents[i].count, ++i) {
    const std::span<float> values = room_for(chunk, i, scratch);
    batch.begin_job();
    copy_values(group_.exec, mean.subspan(begin, extents[i].count), values);
    deliver_run(chunk, i, {extents[i].param, extents[i].first, values});
  }
  batch.close();
}

// `mean` is in the room for it.
void ChunkCoder::deliver_run(const Chunk& chunk, std::size_t extent, const Output& mean) const {
  chunk.compressor->deliver(context_for(chunk.owner, Hop::owner), mean);
  const Piece& piece = pieces_[chunk.piece_of_extent[extent]];
  std::byte* address = address_of(piece, chunk.layout.extents()[extent]);
  if (address == nullptr || piece.data.dtype == DType::f32) return;
  narrow(silent(group_.exec), mean.values, piece.data.dtype,
         {reinterpret_cast<std::uint16_t*>(address), mean.values.size()});
}

}  // namespace tw
