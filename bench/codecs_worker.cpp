#include "bench/codecs_worker.hpp"

#include "compress/spec.hpp"

namespace tw {
namespace {

constexpr StepInfo kStep{1, 0.1, 1};
constexpr EncodeKey kKey{20240521, 1, 0, Hop::worker};

std::string without_memory(const std::string& spec) {
  return print_spec({parse_spec(Compressor(spec).canonical_spec()).front()});
}

std::pmr::memory_resource& memory_at(const Exec& place) { return memory_of(residence_of(place), place.device); }

}  // namespace

MeasuredCodec::MeasuredCodec(const std::string& spec, const Param& param)
    : plain(without_memory(spec)), traits(plain.codec().traits(param)) {
  if (traits.contractive && !traits.lossless) with_feedback.emplace(plain.canonical_spec() + "+ef");
}

CodecWorker::CodecWorker(const Param& param, Part part, const MeasuredCodec& codec, const Exec& place)
    : param_(param),
      part_(part),
      codec_(codec),
      exec_(place),
      arena_(memory_at(place)),
      status_(allocate_block(memory_at(place), sizeof(std::uint32_t))),
      room_(codec.plain.codec().max_bytes({&param, part.first, part.count})),
      state_(place) {
  body_ = allocate_block(memory_at(place), room_);
  fill_zero(place, {status_.get(), sizeof(std::uint32_t)});
  exec_.arena = &arena_;
  exec_.batch = &batch_;
  exec_.status = reinterpret_cast<std::uint32_t*>(status_.get());
  if (codec.with_feedback) codec.with_feedback->declare_slots(state_, param, Hop::worker, part.first, part.count);
}

void CodecWorker::encode_with_feedback(std::span<const float> values) {
  encode_with(*codec_.with_feedback, &state_, values);
  state_.commit();
}

void CodecWorker::decode(Combine combine, std::span<float> out) {
  if (part_.count == 0) return;
  const DecodeJob job{{body_.get(), used_}, {&param_, part_.first, out.subspan(part_.first, part_.count)}};
  codec_.plain.decode(context(nullptr), {&job, 1}, combine, 1.0f);
}

Context CodecWorker::context(State* state) { return {exec_, kKey, kStep, state}; }

void CodecWorker::encode_with(const Compressor& codec, State* state, std::span<const float> values) {
  if (part_.count == 0) return;
  const EncodeJob job{{&param_, part_.first, values.subspan(part_.first, part_.count)}, {body_.get(), room_}};
  codec.encode(context(state), {&job, 1}, {&used_, 1});
}

}  // namespace tw
