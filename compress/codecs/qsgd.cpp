#include "compress/codecs/qsgd.hpp"

#include "compress/randomness.hpp"

namespace tw {
namespace {

DitherNoise noise_of(const Context& context, const Input& input) {
  return {sender_words(key_for_op(context), input.param->id), input.first, context.recorded_step};
}

}  // namespace

void Qsgd::declare(Params& params, ParamVisitor& visitor) {
  static constexpr std::string_view kNorms[] = {"max", "l2"};
  visitor.integer("bits", params.bits, {2, 8}, "of a code, sign included");
  visitor.integer("block", params.block, {32, 4096}, "elements that share a norm, a multiple of 32");
  visitor.choice("norm", params.norm, kNorms, "what the levels divide");
}

CodecTraits Qsgd::traits(const Param&) const {
  const std::uint64_t levels = (std::uint64_t{1} << (bits_ - 1)) - 1;
  CodecTraits traits;
  traits.unbiased = true;
  traits.contractive = norm_ == Norm::max ? block_ - 1 < 8 * levels * levels : block_ < 4 * levels * levels;
  traits.granule = block_;
  return traits;
}

std::size_t Qsgd::max_bytes(const Extent& extent) const {
  return array_bytes<float>(blocks_of(extent.count, block_)) + array_bytes<std::uint32_t>(words_of(extent.count));
}

DitherBody Qsgd::body_of(const Exec& exec, const EncodeJob& job) const {
  const std::uint64_t count = job.input.values.size();
  BodyWriter body(exec, job.body);
  const auto units = body.array<float>(blocks_of(count, block_));
  return {block_, bits_, units, body.array<std::uint32_t>(words_of(count))};
}

void Qsgd::encode_run(const Context& context, const EncodeJob& job) const {
  encode_dithered(context.exec, job.input.values, norm_, noise_of(context, job.input), body_of(context.exec, job));
}

void Qsgd::encode_run_with_residual(const Context& context, const EncodeJob& job, Feedback feedback) const {
  encode_dithered_feedback(context.exec, job.input.values, feedback, norm_, noise_of(context, job.input),
                           body_of(context.exec, job));
}

void Qsgd::decode_run(const Context& context, const DecodeJob& job, Blend how) const {
  const std::uint64_t count = job.output.values.size();
  BodyReader body(job.body);
  const auto units = body.array<float>(blocks_of(count, block_));
  const DitherView view{block_, bits_, units, body.array<std::uint32_t>(words_of(count))};
  decode_dithered(context.exec, view, how, job.output.values);
}

}  // namespace tw
