// Two passes over a block while it is in L1: the sum of magnitudes in 32 lanes, then signs (and the residual). With
// feedback, p = values + residual waits in a buffer in between. Zeros behind a short block add +0 to lanes that are not
// negative, so they do not show.
#include "kernels/signs.hpp"

#include <bit>

#include "kernels/math/bits.hpp"
#include "kernels/math/lanes.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/signs_cpu.cpp"
#include <hwy/foreach_target.h>

#include "kernels/simd/group-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tw::HWY_NAMESPACE {
#if TW_TARGET_IS_PLAIN
using reference::decode_signs;
using reference::encode_signs;
using reference::encode_signs_feedback;
#else
namespace {

// LaneSum<float> of kernels/math/lanes.hpp, over |x|.
class MagnitudeSum {
 public:
  HWY_INLINE MagnitudeSum() {
    for (Floats& lanes : lanes_) lanes = hn::Zero(FloatTag());
  }
  HWY_INLINE void add(std::size_t vector, Floats value) {
    lanes_[vector] = hn::Add(lanes_[vector], hn::BitCast(FloatTag(), magnitude_bits_of(value)));
  }
  HWY_INLINE float total() const {
    Floats lanes[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v) lanes[v] = lanes_[v];
    for (std::size_t distance = kVectors / 2; distance != 0; distance /= 2)
      for (std::size_t v = 0; v < distance; ++v) lanes[v] = hn::Add(lanes[v], lanes[v + distance]);
    return fold(FloatTag(), lanes[0]);
  }

 private:
  Floats lanes_[kVectors];
};

HWY_INLINE std::uint32_t sign_word(const float* x) {
  std::uint32_t word = 0;
  for (std::size_t v = 0; v < kVectors; ++v) {
    const auto negative = hn::Lt(bits_of(load(x + v * kWidth)), hn::Zero(IntTag()));
    word |= bits_of_mask(IntTag(), negative) << (v * kWidth % kGroup);
  }
  return word;
}

// Register v of a group: `unit` with the signs of `word`.
HWY_INLINE Floats signed_by(std::uint32_t word, std::size_t v, Floats unit) {
  const Uints shifts = hn::Sub(hn::Set(UintTag(), static_cast<std::uint32_t>(kGroup - 1 - v * kWidth)), lane_numbers());
  const Uints signs = hn::And(hn::Shl(hn::Set(UintTag(), word), shifts), hn::Set(UintTag(), kSignBit));
  return hn::BitCast(FloatTag(), hn::Xor(signs, hn::BitCast(UintTag(), unit)));
}

HWY_INLINE float unit_of(const MagnitudeSum& sum, std::size_t count) {
  const float total = sum.total();
  return is_finite(total) ? total / static_cast<float>(count) : kNan;
}

float encode_block(const float* x, std::size_t count, std::uint32_t* words) {
  const std::size_t whole = whole_groups(count), rest = count - whole;
  const Tail tail(x + whole, rest);
  MagnitudeSum sum;
  measure(x, whole, sum);
  if (rest != 0) measure(tail.values, kGroup, sum);
  for (std::size_t i = 0; i < whole; i += kGroup) words[i / kGroup] = sign_word(x + i);
  if (rest != 0) words[whole / kGroup] = sign_word(tail.values);
  const float unit = unit_of(sum, count);
  if (!is_finite(unit)) std::memset(words, 0, (count + kGroup - 1) / kGroup * sizeof(std::uint32_t));
  return unit;
}

// The word of a group, and its residual.
template <bool stream>
HWY_INLINE std::uint32_t encode_group(const float* p, Floats unit, float* residual) {
  const std::uint32_t word = sign_word(p);
  for (std::size_t v = 0; v < kVectors; ++v) {
    const Floats value = load(p + v * kWidth);
    const Uints sign = hn::And(hn::BitCast(UintTag(), value), hn::Set(UintTag(), kSignBit));
    const Floats own = hn::BitCast(FloatTag(), hn::Xor(sign, hn::BitCast(UintTag(), unit)));
    store<stream>(hn::Sub(value, own), residual + v * kWidth);
  }
  return word;
}

template <bool stream>
float encode_block_feedback(const float* x, std::size_t count, Feed residual, std::uint32_t* words) {
  const std::size_t whole = whole_groups(count), rest = count - whole;
  alignas(64) float p[kMaxSummedBlock];
  MagnitudeSum sum;
  measure_sum(x, residual.in, whole, p, sum);
  if (rest != 0) {
    const Tail tail(x + whole, rest), tail_residual(residual.in + whole, rest);
    measure_sum(tail.values, tail_residual.values, kGroup, p + whole, sum);
  }
  const float unit = unit_of(sum, count);
  const Floats units = hn::Set(FloatTag(), unit);
  for (std::size_t i = 0; i < whole; i += kGroup)
    words[i / kGroup] = encode_group<stream>(p + i, units, residual.out + i);
  if (rest != 0) {
    alignas(64) float last[kGroup];
    words[whole / kGroup] = encode_group<false>(p + whole, units, last);
    std::memcpy(residual.out + whole, last, rest * sizeof(float));
  }
  if (!is_finite(unit)) std::memset(words, 0, (count + kGroup - 1) / kGroup * sizeof(std::uint32_t));
  return unit;
}

template <bool stream>
void encode_feedback(const Exec& exec, std::span<const float> values, Feed residual, SignBody body) {
  const std::size_t count = values.size();
  for (std::size_t begin = 0, b = 0; begin < count; begin += body.block, ++b) {
    const Feed here{residual.in + begin, residual.out + begin};
    const float unit = body.units.data()[b] = encode_block_feedback<stream>(
        values.data() + begin, HWY_MIN(body.block, count - begin), here, body.words.data() + begin / kGroup);
    if (!is_finite(unit)) report(exec, kStatusNonFinite);
  }
  if (stream) hwy::FlushStream();
}

template <Combine combine>
HWY_INLINE void decode_group(std::uint32_t word, Floats factor, float* out) {
  for (std::size_t v = 0; v < kVectors; ++v) blend<combine>(signed_by(word, v, factor), out + v * kWidth);
}

template <Combine combine>
void decode_block(const std::uint32_t* words, std::size_t count, float unit, float* out) {
  const std::size_t whole = whole_groups(count), rest = count - whole;
  const Floats factor = hn::Set(FloatTag(), unit);
  for (std::size_t i = 0; i < whole; i += kGroup) {
    if (combine == Combine::add) prefetch_group(out + i);
    decode_group<combine>(words[i / kGroup], factor, out + i);
  }
  if (rest == 0) return;
  Tail tail(out + whole, rest);
  decode_group<combine>(words[whole / kGroup], factor, tail.values);
  std::memcpy(out + whole, tail.values, rest * sizeof(float));
}

}  // namespace

void encode_signs(const Exec& exec, std::span<const float> values, SignBody body) {
  const std::size_t count = values.size();
  for (std::size_t begin = 0, b = 0; begin < count; begin += body.block, ++b) {
    const float unit = body.units.data()[b] =
        encode_block(values.data() + begin, HWY_MIN(body.block, count - begin), body.words.data() + begin / kGroup);
    if (!is_finite(unit)) report(exec, kStatusNonFinite);
  }
}

void encode_signs_feedback(const Exec& exec, std::span<const float> values, Feedback feedback, SignBody body) {
  const Feed residual{feedback.residual_in.data(), feedback.residual_out.data()};
  (may_stream(residual.out, values.size()) ? encode_feedback<true> : encode_feedback<false>)(exec, values, residual,
                                                                                             body);
}

void decode_signs(const Exec&, SignView body, Blend how, std::span<float> out) {
  const std::size_t count = out.size();
  const auto decode = how.combine == Combine::assign ? decode_block<Combine::assign> : decode_block<Combine::add>;
  for (std::size_t begin = 0, b = 0; begin < count; begin += body.block, ++b)
    decode(body.words.data() + begin / kGroup, HWY_MIN(body.block, count - begin), how.scale * body.units.data()[b],
           out.data() + begin);
}
#endif  // !TW_TARGET_IS_PLAIN
}  // namespace tw::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tw {
HWY_EXPORT(encode_signs);
HWY_EXPORT(encode_signs_feedback);
HWY_EXPORT(decode_signs);

namespace simd {
void encode_signs(const Exec& exec, std::span<const float> values, SignBody body) {
  HWY_DYNAMIC_DISPATCH(encode_signs)(exec, values, body);
}
void encode_signs_feedback(const Exec& exec, std::span<const float> values, Feedback feedback, SignBody body) {
  HWY_DYNAMIC_DISPATCH(encode_signs_feedback)(exec, values, feedback, body);
}
void decode_signs(const Exec& exec, SignView body, Blend how, std::span<float> out) {
  HWY_DYNAMIC_DISPATCH(decode_signs)(exec, body, how, out);
}
}  // namespace simd
}  // namespace tw
#endif  // HWY_ONCE
