// Two passes over a block while it is in L1: the largest magnitude, then codes (and the residual). With feedback,
// p = values + residual waits in between where it will be overwritten by the new residual, or, where that goes past the
// cache, in a buffer.
#include "kernels/quantize.hpp"

#include <bit>

#include "kernels/math/scale.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize_cpu.cpp"
#include <hwy/foreach_target.h>

#include "kernels/simd/group-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tw::HWY_NAMESPACE {
#if TW_TARGET_IS_PLAIN
using reference::dequantize_int8;
using reference::quantize_int8;
using reference::quantize_int8_feedback;
#else
namespace {

using CodeTag = hn::Rebind<std::int8_t, FloatTag>;
using ByteTag = hn::Rebind<std::uint8_t, FloatTag>;
constexpr float kMagic = 0x1.8p23f;  // kernels/math/scale.hpp: the low bits of the sum are the rounded integer

HWY_INLINE Floats rounded_with_magic(Floats value, Floats inverse) {
  return hn::Add(hn::Mul(value, inverse), hn::Set(FloatTag(), kMagic));
}

HWY_INLINE void store_codes(Floats with_magic, std::int8_t* codes) {
  const auto bytes = hn::TruncateTo(ByteTag(), hn::BitCast(UintTag(), with_magic));
  hn::StoreU(bytes, ByteTag(), reinterpret_cast<std::uint8_t*>(codes));
}

HWY_INLINE void encode(const float* x, std::size_t count, BlockScale scale, std::int8_t* codes) {
  const Floats inverse = hn::Set(FloatTag(), scale.inverse);
  for (std::size_t i = 0; i < count; i += kGroup)
    for (std::size_t at = i; at < i + kGroup; at += kWidth)
      store_codes(rounded_with_magic(load(x + at), inverse), codes + at);
}

template <bool stream>
HWY_INLINE void encode_feedback(const float* p, std::size_t count, BlockScale scale, std::int8_t* codes,
                                float* residual) {
  const Floats inverse = hn::Set(FloatTag(), scale.inverse), unit = hn::Set(FloatTag(), scale.unit);
  const Floats magic = hn::Set(FloatTag(), kMagic);
  for (std::size_t i = 0; i < count; i += kGroup)
    for (std::size_t at = i; at < i + kGroup; at += kWidth) {
      const Floats value = load(p + at), rounded = rounded_with_magic(value, inverse);
      store_codes(rounded, codes + at);
      store<stream>(hn::Sub(value, hn::Mul(hn::Sub(rounded, magic), unit)), residual + at);
    }
}

// The unit of a block.
float encode_block(const float* x, std::size_t count, std::int8_t* codes) {
  const std::size_t whole = whole_groups(count), rest = count - whole;
  const Tail tail(x + whole, rest);
  LargestMagnitude largest;
  measure(x, whole, largest);
  if (rest != 0) measure(tail.values, kGroup, largest);
  const BlockScale scale = block_scale(std::bit_cast<float>(largest.total()), 127.0f);
  encode(x, whole, scale, codes);
  if (rest != 0) {
    std::int8_t last[kGroup];
    encode(tail.values, kGroup, scale, last);
    std::memcpy(codes + whole, last, rest);
  }
  if (scale.inverse == 0.0f) std::memset(codes, 0, count);
  return scale.unit;
}

// The same of values + residual; `p` has room for the whole groups.
template <bool stream>
float encode_block_feedback(const float* x, std::size_t count, Feed residual, float* p, std::int8_t* codes) {
  const std::size_t whole = whole_groups(count), rest = count - whole;
  Tail tail(x + whole, rest);
  LargestMagnitude largest;
  measure_sum(x, residual.in, whole, p, largest);
  if (rest != 0) {
    const Tail tail_residual(residual.in + whole, rest);
    measure_sum(tail.values, tail_residual.values, kGroup, tail.values, largest);
  }
  const BlockScale scale = block_scale(std::bit_cast<float>(largest.total()), 127.0f);
  encode_feedback<stream>(p, whole, scale, codes, residual.out);
  if (rest != 0) {
    std::int8_t last[kGroup];
    encode_feedback<false>(tail.values, kGroup, scale, last, tail.values);
    std::memcpy(codes + whole, last, rest);
    std::memcpy(residual.out + whole, tail.values, rest * sizeof(float));
  }
  if (scale.inverse == 0.0f) std::memset(codes, 0, count);
  return scale.unit;
}

template <bool stream>
void quantize_feedback(const Exec& exec, std::span<const float> values, Feed residual, Int8Body body) {
  alignas(64) float kept[stream ? kKeptBlock : 1];
  const std::size_t count = values.size();
  for (std::size_t begin = 0, b = 0; begin < count; begin += body.block, ++b) {
    const Feed here{residual.in + begin, residual.out + begin};
    const float unit = body.units.data()[b] =
        encode_block_feedback<stream>(values.data() + begin, HWY_MIN(body.block, count - begin), here,
                                      stream ? kept : here.out, body.codes.data() + begin);
    if (!is_finite(unit)) report(exec, kStatusNonFinite);
  }
  if (stream) hwy::FlushStream();
}

template <Combine combine>
HWY_INLINE void decode(const std::int8_t* codes, std::size_t count, Floats factor, float* out) {
  for (std::size_t i = 0; i < count; i += kGroup) {
    if (combine == Combine::add) prefetch_group(out + i);
    for (std::size_t at = i; at < i + kGroup; at += kWidth) {
      const Ints code = hn::PromoteTo(IntTag(), hn::LoadU(CodeTag(), codes + at));
      blend<combine>(hn::Mul(hn::ConvertTo(FloatTag(), code), factor), out + at);
    }
  }
}

template <Combine combine>
void decode_block(const std::int8_t* codes, std::size_t count, float factor, float* out) {
  const std::size_t whole = whole_groups(count), rest = count - whole;
  decode<combine>(codes, whole, hn::Set(FloatTag(), factor), out);
  if (rest == 0) return;
  std::int8_t last[kGroup] = {};
  std::memcpy(last, codes + whole, rest);
  Tail tail(out + whole, rest);
  decode<combine>(last, kGroup, hn::Set(FloatTag(), factor), tail.values);
  std::memcpy(out + whole, tail.values, rest * sizeof(float));
}

}  // namespace

void quantize_int8(const Exec& exec, std::span<const float> values, Int8Body body) {
  const std::size_t count = values.size();
  for (std::size_t begin = 0, b = 0; begin < count; begin += body.block, ++b) {
    const float unit = body.units.data()[b] =
        encode_block(values.data() + begin, HWY_MIN(body.block, count - begin), body.codes.data() + begin);
    if (!is_finite(unit)) report(exec, kStatusNonFinite);
  }
}

void quantize_int8_feedback(const Exec& exec, std::span<const float> values, Feedback feedback, Int8Body body) {
  const Feed residual{feedback.residual_in.data(), feedback.residual_out.data()};
  if (body.block <= kKeptBlock && may_stream(residual.out, values.size()))
    quantize_feedback<true>(exec, values, residual, body);
  else
    quantize_feedback<false>(exec, values, residual, body);
}

void dequantize_int8(const Exec&, Int8View body, Blend how, std::span<float> out) {
  const std::size_t count = out.size();
  for (std::size_t begin = 0, b = 0; begin < count; begin += body.block, ++b) {
    const std::size_t here = HWY_MIN(body.block, count - begin);
    const float factor = how.scale * body.units.data()[b];
    if (how.combine == Combine::assign)
      decode_block<Combine::assign>(body.codes.data() + begin, here, factor, out.data() + begin);
    else
      decode_block<Combine::add>(body.codes.data() + begin, here, factor, out.data() + begin);
  }
}
#endif  // !TW_TARGET_IS_PLAIN
}  // namespace tw::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tw {
HWY_EXPORT(quantize_int8);
HWY_EXPORT(quantize_int8_feedback);
HWY_EXPORT(dequantize_int8);

namespace simd {
void quantize_int8(const Exec& exec, std::span<const float> values, Int8Body body) {
  HWY_DYNAMIC_DISPATCH(quantize_int8)(exec, values, body);
}
void quantize_int8_feedback(const Exec& exec, std::span<const float> values, Feedback feedback, Int8Body body) {
  HWY_DYNAMIC_DISPATCH(quantize_int8_feedback)(exec, values, feedback, body);
}
void dequantize_int8(const Exec& exec, Int8View body, Blend how, std::span<float> out) {
  HWY_DYNAMIC_DISPATCH(dequantize_int8)(exec, body, how, out);
}
}  // namespace simd
}  // namespace tw
#endif  // HWY_ONCE
