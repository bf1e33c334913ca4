#include "compress/codecs/identity.hpp"

#include <cmath>
#include <cstring>

#include "kernels/base/check.hpp"
#include "kernels/base/half.hpp"

namespace tw {
namespace {

std::size_t value_bytes(const Extent& extent) { return extent.count * bytes_of(extent.param->dtype); }

void store(std::span<const float> values, DType dtype, std::byte* out) {
  if (dtype == DType::f32) {
    std::memcpy(out, values.data(), values.size_bytes());
    return;
  }
  auto* bits = reinterpret_cast<std::uint16_t*>(out);
  for (std::size_t i = 0; i < values.size(); ++i)
    bits[i] = dtype == DType::f16 ? f16_from_float(values[i]) : bf16_from_float(values[i]);
}

float load(const std::byte* body, DType dtype, std::size_t i) {
  if (dtype == DType::f32) return reinterpret_cast<const float*>(body)[i];
  const std::uint16_t bits = reinterpret_cast<const std::uint16_t*>(body)[i];
  return dtype == DType::f16 ? float_from_f16(bits) : float_from_bf16(bits);
}

bool all_finite(std::span<const float> values) {
  std::uint32_t largest = 0;  // magnitudes compare as integers
  for (const float value : values) largest = std::max(largest, std::bit_cast<std::uint32_t>(value) & 0x7fffffffu);
  return largest < 0x7f800000u;
}

template <Combine combine>
void decode_as(const DecodeJob& job, DType dtype, float scale) {
  const std::span<float> out = job.output.values;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const float value = scale * load(job.body.data(), dtype, i);
    out[i] = combine == Combine::assign ? value : out[i] + value;
  }
}

}  // namespace

CodecTraits Identity::traits(const Param& param) const {
  CodecTraits traits;
  traits.lossless = traits.unbiased = traits.contractive = true;
  traits.linear = param.dtype == DType::f32;  // sums of 16-bit values would be rounded to 16 bits at every step
  return traits;
}

std::size_t Identity::max_bytes(const Extent& extent) const { return (value_bytes(extent) + 15) / 16 * 16; }

void Identity::encode(const Context& context, std::span<const EncodeJob> jobs,
                      std::span<std::uint32_t> body_bytes) const {
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const auto& [input, body] = jobs[i];
    const std::size_t bytes = input.values.size() * bytes_of(input.param->dtype);
    store(input.values, input.param->dtype, body.data());
    if (bytes != body.size()) std::memset(body.data() + bytes, 0, body.size() - bytes);
    if (context.exec.status != nullptr && !all_finite(input.values)) *context.exec.status |= kStatusNonFinite;
    body_bytes[i] = static_cast<std::uint32_t>(body.size());
  }
}

void Identity::validate(const Context&, std::span<const std::byte> body, const Extent& extent) const {
  TW_CHECK(body.size() == max_bytes(extent), WireError, "identity: body of ", body.size(), " bytes, expected ",
           max_bytes(extent));
}

void Identity::decode(const Context&, std::span<const DecodeJob> jobs, Combine combine, float scale) const {
  for (const DecodeJob& job : jobs) {
    const DType dtype = job.output.param->dtype;
    if (combine == Combine::assign)
      decode_as<Combine::assign>(job, dtype, scale);
    else
      decode_as<Combine::add>(job, dtype, scale);
  }
}

}  // namespace tw
