#include "compress/codecs/int8.hpp"

namespace tw {

void Int8::declare(Params& params, ParamVisitor& visitor) {
  visitor.integer("block", params.block, {32, 65536}, "elements that share a scale, a multiple of 32");
}

CodecTraits Int8::traits(const Param&) const {
  CodecTraits traits;
  traits.contractive = true;
  traits.granule = block_;
  return traits;
}

std::size_t Int8::max_bytes(const Extent& extent) const {
  return array_bytes<float>(blocks_of(extent.count, block_)) + array_bytes<std::int8_t>(extent.count);
}

Int8Body Int8::body_of(const Exec& exec, const EncodeJob& job) const {
  const std::uint64_t count = job.input.values.size();
  BodyWriter body(exec, job.body);
  const auto units = body.array<float>(blocks_of(count, block_));
  return {block_, units, body.array<std::int8_t>(count)};
}

void Int8::encode_run(const Context& context, const EncodeJob& job) const {
  quantize_int8(context.exec, job.input.values, body_of(context.exec, job));
}

void Int8::encode_run_with_residual(const Context& context, const EncodeJob& job, Feedback feedback) const {
  quantize_int8_feedback(context.exec, job.input.values, feedback, body_of(context.exec, job));
}

void Int8::decode_run(const Context& context, const DecodeJob& job, Blend how) const {
  const std::uint64_t count = job.output.values.size();
  BodyReader body(job.body);
  const auto units = body.array<float>(blocks_of(count, block_));
  dequantize_int8(context.exec, {block_, units, body.array<std::int8_t>(count)}, how, job.output.values);
}

}  // namespace tw
