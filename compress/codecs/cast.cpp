#include "compress/codecs/cast.hpp"

#include "kernels/cast.hpp"

namespace tw {

CodecTraits Cast::traits(const Param& param) const {
  CodecTraits traits;
  traits.lossless = traits.unbiased = param.dtype == dtype_;
  traits.contractive = true;
  traits.granule = kDenseGranule;
  return traits;
}

std::size_t Cast::max_bytes(const Extent& extent) const { return array_bytes<std::uint16_t>(extent.count); }

void Cast::encode_run(const Context& context, const EncodeJob& job) const {
  const auto values = job.input.values;
  narrow(context.exec, values, dtype_, BodyWriter(context.exec, job.body).array<std::uint16_t>(values.size()));
}

void Cast::encode_run_with_residual(const Context& context, const EncodeJob& job, Feedback feedback) const {
  const auto values = job.input.values;
  narrow_feedback(context.exec, values, feedback, dtype_,
                  BodyWriter(context.exec, job.body).array<std::uint16_t>(values.size()));
}

void Cast::decode_run(const Context& context, const DecodeJob& job, Blend how) const {
  const auto values = job.output.values;
  widen(context.exec, BodyReader(job.body).array<std::uint16_t>(values.size()), dtype_, how, values);
}

}  // namespace tw
