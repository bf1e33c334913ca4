#include "compress/codecs/identity.hpp"

#include "kernels/cast.hpp"

namespace tw {

CodecTraits Identity::traits(const Param& param) const {
  CodecTraits traits;
  traits.lossless = traits.unbiased = traits.contractive = true;
  traits.linear = param.dtype == DType::f32;  // sums of 16-bit values would be rounded to 16 bits at every step
  traits.granule = kDenseGranule;
  return traits;
}

std::size_t Identity::max_bytes(const Extent& extent) const {
  return extent.param->dtype == DType::f32 ? array_bytes<float>(extent.count)
                                           : array_bytes<std::uint16_t>(extent.count);
}

void Identity::encode_run(const Context& context, const EncodeJob& job) const {
  const auto& [param, first, values] = job.input;
  BodyWriter body(context.exec, job.body);
  if (param->dtype == DType::f32)
    copy_values(context.exec, values, body.array<float>(values.size()));
  else
    narrow(context.exec, values, param->dtype, body.array<std::uint16_t>(values.size()));
}

void Identity::decode_run(const Context& context, const DecodeJob& job, Blend how) const {
  const auto& [param, first, values] = job.output;
  BodyReader body(job.body);
  if (param->dtype == DType::f32)
    blend_values(context.exec, body.array<float>(values.size()), how, values);
  else
    widen(context.exec, body.array<std::uint16_t>(values.size()), param->dtype, how, values);
}

}  // namespace tw
