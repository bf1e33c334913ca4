#include "compress/codecs/onebit.hpp"

namespace tw {
namespace {
constexpr std::uint64_t words_of(std::uint64_t count) { return (count + 31) / 32; }
}  // namespace

void OneBit::declare(Params& params, ParamVisitor& visitor) {
  visitor.integer("block", params.block, {32, 4096}, "elements that share a scale, a multiple of 32");
}

CodecTraits OneBit::traits(const Param&) const {
  CodecTraits traits;
  traits.contractive = true;
  traits.granule = block_;
  return traits;
}

std::size_t OneBit::max_bytes(const Extent& extent) const {
  return array_bytes<float>(blocks_of(extent.count, block_)) + array_bytes<std::uint32_t>(words_of(extent.count));
}

SignBody OneBit::body_of(const Exec& exec, const EncodeJob& job) const {
  const std::uint64_t count = job.input.values.size();
  BodyWriter body(exec, job.body);
  const auto units = body.array<float>(blocks_of(count, block_));
  return {block_, units, body.array<std::uint32_t>(words_of(count))};
}

void OneBit::encode_run(const Context& context, const EncodeJob& job) const {
  encode_signs(context.exec, job.input.values, body_of(context.exec, job));
}

void OneBit::encode_run_with_residual(const Context& context, const EncodeJob& job, Feedback feedback) const {
  encode_signs_feedback(context.exec, job.input.values, feedback, body_of(context.exec, job));
}

void OneBit::decode_run(const Context& context, const DecodeJob& job, Blend how) const {
  const std::uint64_t count = job.output.values.size();
  BodyReader body(job.body);
  const auto units = body.array<float>(blocks_of(count, block_));
  decode_signs(context.exec, {block_, units, body.array<std::uint32_t>(words_of(count))}, how, job.output.values);
}

}  // namespace tw
