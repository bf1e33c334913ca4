// Norm of a block, then codes of each group of 32 with its random words, then their bit planes: a byte a code, whose
// top bits one movemask collects, shifted up for the next plane.
#include "kernels/dither.hpp"

#include <bit>
#include <cmath>

#include "kernels/math/lanes.hpp"
#include "kernels/math/scale.hpp"
#include "kernels/math/step.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dither_cpu.cpp"
#include <hwy/foreach_target.h>

#include "kernels/simd/group-inl.hpp"
#include "kernels/simd/philox-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tw::HWY_NAMESPACE {
#if TW_TARGET_IS_PLAIN
using reference::decode_dithered;
using reference::encode_dithered;
using reference::encode_dithered_feedback;
#else
namespace {

using ByteTag = hn::CappedTag<std::uint8_t, kGroup>;
using ByteOfFloatTag = hn::Rebind<std::uint8_t, FloatTag>;
using CodeOfFloatTag = hn::Rebind<std::int8_t, FloatTag>;
using HalfFloatTag = hn::Half<FloatTag>;
using DoubleTag = hn::Rebind<double, HalfFloatTag>;
using Doubles = hn::Vec<DoubleTag>;
constexpr std::size_t kByteWidth = hn::MaxLanes(ByteTag());
constexpr std::size_t kByteVectors = kGroup / kByteWidth;

// LaneSum<double> of kernels/math/lanes.hpp, over x * x.
class SquareSum {
 public:
  HWY_INLINE SquareSum() {
    for (Doubles& lanes : lanes_) lanes = hn::Zero(DoubleTag());
  }
  HWY_INLINE void add(std::size_t vector, Floats value) {
    add_half(lanes_[2 * vector], hn::LowerHalf(HalfFloatTag(), value));
    add_half(lanes_[2 * vector + 1], hn::UpperHalf(HalfFloatTag(), value));
  }
  HWY_INLINE double total() const {
    Doubles lanes[2 * kVectors];
    for (std::size_t v = 0; v < 2 * kVectors; ++v) lanes[v] = lanes_[v];
    for (std::size_t distance = kVectors; distance != 0; distance /= 2)
      for (std::size_t v = 0; v < distance; ++v) lanes[v] = hn::Add(lanes[v], lanes[v + distance]);
    return fold(DoubleTag(), lanes[0]);
  }

 private:
  static HWY_INLINE void add_half(Doubles& lanes, hn::Vec<HalfFloatTag> value) {
    const Doubles wide = hn::PromoteTo(DoubleTag(), value);
    lanes = hn::Add(lanes, hn::Mul(wide, wide));
  }
  Doubles lanes_[2 * kVectors];
};

float norm_of(const float* x, std::size_t count, Norm norm) {
  if (norm == Norm::max) {
    LargestMagnitude largest;
    measure(x, count, largest);
    return std::bit_cast<float>(largest.total());
  }
  SquareSum squares;
  measure(x, count, squares);
  return static_cast<float>(std::sqrt(squares.total()));
}

// The level with the sign of x, on top of a magic number: its low byte is the code.
struct Rounding {
  Floats inverse, levels;

  HWY_INLINE Floats operator()(Floats x, const std::uint32_t* words) const {
    const Floats magic = hn::Set(FloatTag(), 0x1.8p23f), one = hn::Set(FloatTag(), 1.0f);
    const Uints sign = hn::And(hn::BitCast(UintTag(), x), hn::Set(UintTag(), kSignBit));
    const Floats scaled = hn::Mul(hn::BitCast(FloatTag(), magnitude_bits_of(x)), inverse);
    const Floats nearest = hn::Sub(hn::Add(scaled, magic), magic);
    const Floats floor = hn::Sub(nearest, hn::IfThenElseZero(hn::Gt(nearest, scaled), one));
    const Uints word = hn::ShiftRight<8>(hn::LoadU(UintTag(), words));
    const Floats chance =
        hn::Mul(hn::ConvertTo(FloatTag(), hn::BitCast(IntTag(), word)), hn::Set(FloatTag(), 0x1p-24f));
    const Floats up = hn::IfThenElseZero(hn::Lt(chance, hn::Sub(scaled, floor)), one);
    const Floats level = hn::Min(hn::Add(floor, up), levels);
    return hn::Add(hn::BitCast(FloatTag(), hn::Xor(hn::BitCast(UintTag(), level), sign)), magic);
  }
};

// Bytes of `count` registers from the first on, in one.
template <std::size_t count>
HWY_INLINE auto joined(const hn::Vec<ByteOfFloatTag>* bytes) {
  if constexpr (count == 1)
    return *bytes;
  else
    return hn::Combine(hn::CappedTag<std::uint8_t, count * kWidth>(), joined<count / 2>(bytes + count / 2),
                       joined<count / 2>(bytes));
}

HWY_INLINE void store_planes(const hn::Vec<ByteOfFloatTag>* codes, std::uint32_t bits, std::uint32_t* planes) {
  constexpr std::size_t kJoined = kByteWidth / kWidth;
  const hn::RebindToSigned<ByteTag> signed_tag;
  hn::Vec<ByteTag> bytes[kByteVectors];
  for (std::size_t v = 0; v < kByteVectors; ++v) {
    bytes[v] = joined<kJoined>(codes + v * kJoined);
    for (std::uint32_t shift = bits; shift < 8; ++shift) bytes[v] = hn::Add(bytes[v], bytes[v]);
  }
  for (std::uint32_t plane = bits; plane-- != 0;) {
    std::uint32_t word = 0;
    for (std::size_t v = 0; v < kByteVectors; ++v) {
      const auto set = hn::Lt(hn::BitCast(signed_tag, bytes[v]), hn::Zero(signed_tag));
      word |= bits_of_mask(signed_tag, set) << (v * kByteWidth % kGroup);
      bytes[v] = hn::Add(bytes[v], bytes[v]);
    }
    planes[plane] = word;
  }
}

// The top plane weighs -2^(bits-1), so its bit fills the byte upwards.
HWY_INLINE void load_planes(const std::uint32_t* planes, std::uint32_t bits, std::uint8_t* codes) {
  for (std::size_t v = 0; v < kByteVectors; ++v) {
    auto bytes = hn::Zero(ByteTag());
    for (std::uint32_t plane = 0; plane < bits; ++plane) {
      std::uint8_t mask_bytes[8] = {};
      std::memcpy(mask_bytes, &planes[plane], sizeof planes[plane]);
      const auto set = hn::LoadMaskBits(ByteTag(), mask_bytes + v * kByteWidth / 8);
      const std::uint32_t weight = plane + 1 == bits ? 0xffu << plane : 1u << plane;
      bytes = hn::Or(bytes, hn::IfThenElseZero(set, hn::Set(ByteTag(), static_cast<std::uint8_t>(weight))));
    }
    hn::Store(bytes, ByteTag(), codes + v * kByteWidth);
  }
}

// One group: its planes, and with feedback the residual of p = x.
template <bool feedback, bool stream>
HWY_INLINE void encode_group(const float* x, const Rounding& rounding, Floats unit, const std::uint32_t* words,
                             std::uint32_t bits, std::uint32_t* planes, float* residual) {
  hn::Vec<ByteOfFloatTag> codes[kVectors];
  for (std::size_t v = 0; v < kVectors; ++v) {
    const std::size_t at = v * kWidth;
    const Floats value = load(x + at), rounded = rounding(value, words + at);
    codes[v] = hn::TruncateTo(ByteOfFloatTag(), hn::BitCast(UintTag(), rounded));
    if constexpr (feedback) {
      const Floats level = hn::Sub(rounded, hn::Set(FloatTag(), 0x1.8p23f));
      store<stream>(hn::Sub(value, hn::Mul(level, unit)), residual + at);
    }
  }
  store_planes(codes, bits, planes);
}

struct Block {
  const PhiloxWords& words;
  std::uint64_t first;  // element, counted as the random words are
  std::size_t count;
  std::uint32_t bits;
  Norm norm;
};

// Codes x, whose room and residual's room are whole groups, zeros behind `count`. Returns the unit.
template <bool feedback, bool stream>
float encode_block(const Block& block, const float* x, std::uint32_t* planes, float* residual) {
  const std::size_t padded = (block.count + kGroup - 1) / kGroup * kGroup;
  const float levels = static_cast<float>((1 << (block.bits - 1)) - 1);
  const BlockScale scale = block_scale(norm_of(x, padded, block.norm), levels);
  const Rounding rounding{hn::Set(FloatTag(), scale.inverse), hn::Set(FloatTag(), levels)};
  const Floats unit = hn::Set(FloatTag(), scale.unit);
  alignas(64) std::uint32_t words[HWY_MAX(kWordBatch, kGroup)];
  for (std::size_t i = 0; i < padded; i += kGroup) {
    const std::size_t in_batch = kWordBatch > kGroup ? (block.first + i) % kWordBatch : 0;
    if (in_batch == 0 || i == 0)
      for (std::size_t w = 0; w < HWY_MAX(kWordBatch, kGroup); w += kWordBatch)
        next_words(block.words, (block.first + i - in_batch + w) / 4, words + w);
    encode_group<feedback, stream>(x + i, rounding, unit, words + in_batch, block.bits,
                                   planes + i / kGroup * block.bits, residual + i);
  }
  if (scale.inverse == 0.0f) std::memset(planes, 0, padded / kGroup * block.bits * sizeof(std::uint32_t));
  return scale.unit;
}

// values + residual, or a copy of the values where `residual` is null, and zeros up to the end of the group.
void prepare(const float* x, const float* residual, std::size_t count, float* p) {
  const std::size_t whole = whole_groups(count), rest = count - whole;
  NoStatistic none;
  if (residual != nullptr)
    measure_sum(x, residual, whole, p, none);
  else
    std::memcpy(p, x, whole * sizeof(float));
  if (rest == 0) return;
  const Tail tail(x + whole, rest),
      tail_residual(residual != nullptr ? residual + whole : nullptr, residual != nullptr ? rest : 0);
  measure_sum(tail.values, tail_residual.values, kGroup, p + whole, none);
}

float encode_block(const Block& block, const float* x, std::uint32_t* planes) {
  if (block.count % kGroup == 0) return encode_block<false, false>(block, x, planes, nullptr);
  alignas(64) float p[kMaxSummedBlock];
  prepare(x, nullptr, block.count, p);
  return encode_block<false, false>(block, p, planes, nullptr);
}

template <bool stream>
float encode_block_feedback(const Block& block, const float* x, Feed residual, std::uint32_t* planes) {
  alignas(64) float p[kMaxSummedBlock];
  prepare(x, residual.in, block.count, p);
  if (block.count % kGroup == 0) return encode_block<true, stream>(block, p, planes, residual.out);
  const float unit = encode_block<true, false>(block, p, planes, p);
  std::memcpy(residual.out, p, block.count * sizeof(float));
  return unit;
}

// Calls encode(block, its first element, its planes) for every block of the run.
template <class Encode>
HWY_INLINE void for_blocks(const Exec& exec, std::size_t count, Norm norm, const DitherNoise& noise, DitherBody body,
                           Encode encode) {
  const PhiloxWords words = at_recorded_step(noise.words, noise.recorded_step);
  for (std::size_t begin = 0, b = 0; begin < count; begin += body.block, ++b) {
    const Block block{words, noise.first + begin, HWY_MIN(body.block, count - begin), body.bits, norm};
    const float unit = body.units.data()[b] = encode(block, begin, body.words.data() + begin / kGroup * body.bits);
    if (!is_finite(unit)) report(exec, kStatusNonFinite);
  }
}

template <Combine combine>
HWY_INLINE void decode_group(const std::uint32_t* planes, std::uint32_t bits, Floats factor, float* out) {
  alignas(32) std::uint8_t bytes[kGroup];
  load_planes(planes, bits, bytes);
  const auto* codes = reinterpret_cast<const std::int8_t*>(bytes);
  for (std::size_t at = 0; at < kGroup; at += kWidth) {
    const Ints code = hn::PromoteTo(IntTag(), hn::LoadU(CodeOfFloatTag(), codes + at));
    blend<combine>(hn::Mul(hn::ConvertTo(FloatTag(), code), factor), out + at);
  }
}

template <Combine combine>
void decode_block(const std::uint32_t* planes, std::uint32_t bits, std::size_t count, float unit, float* out) {
  const std::size_t whole = whole_groups(count), rest = count - whole;
  const Floats factor = hn::Set(FloatTag(), unit);
  for (std::size_t i = 0; i < whole; i += kGroup) {
    if (combine == Combine::add) prefetch_group(out + i);
    decode_group<combine>(planes + i / kGroup * bits, bits, factor, out + i);
  }
  if (rest == 0) return;
  Tail tail(out + whole, rest);
  decode_group<combine>(planes + whole / kGroup * bits, bits, factor, tail.values);
  std::memcpy(out + whole, tail.values, rest * sizeof(float));
}

}  // namespace

void encode_dithered(const Exec& exec, std::span<const float> values, Norm norm, DitherNoise noise, DitherBody body) {
  for_blocks(exec, values.size(), norm, noise, body,
             [&](const Block& block, std::size_t begin, std::uint32_t* planes)
                 HWY_ATTR { return encode_block(block, values.data() + begin, planes); });
}

void encode_dithered_feedback(const Exec& exec, std::span<const float> values, Feedback feedback, Norm norm,
                              DitherNoise noise, DitherBody body) {
  const float* in = feedback.residual_in.data();
  float* out = feedback.residual_out.data();
  const auto encode = may_stream(out, values.size()) ? encode_block_feedback<true> : encode_block_feedback<false>;
  for_blocks(exec, values.size(), norm, noise, body,
             [&](const Block& block, std::size_t begin, std::uint32_t* planes) HWY_ATTR {
               return encode(block, values.data() + begin, {in + begin, out + begin}, planes);
             });
  hwy::FlushStream();
}

void decode_dithered(const Exec&, DitherView body, Blend how, std::span<float> out) {
  const std::size_t count = out.size();
  const auto decode = how.combine == Combine::assign ? decode_block<Combine::assign> : decode_block<Combine::add>;
  for (std::size_t begin = 0, b = 0; begin < count; begin += body.block, ++b)
    decode(body.words.data() + begin / kGroup * body.bits, body.bits, HWY_MIN(body.block, count - begin),
           how.scale * body.units.data()[b], out.data() + begin);
}
#endif  // !TW_TARGET_IS_PLAIN
}  // namespace tw::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tw {
HWY_EXPORT(encode_dithered);
HWY_EXPORT(encode_dithered_feedback);
HWY_EXPORT(decode_dithered);

namespace simd {
void encode_dithered(const Exec& exec, std::span<const float> values, Norm norm, DitherNoise noise, DitherBody body) {
  HWY_DYNAMIC_DISPATCH(encode_dithered)(exec, values, norm, noise, body);
}
void encode_dithered_feedback(const Exec& exec, std::span<const float> values, Feedback feedback, Norm norm,
                              DitherNoise noise, DitherBody body) {
  HWY_DYNAMIC_DISPATCH(encode_dithered_feedback)(exec, values, feedback, norm, noise, body);
}
void decode_dithered(const Exec& exec, DitherView body, Blend how, std::span<float> out) {
  HWY_DYNAMIC_DISPATCH(decode_dithered)(exec, body, how, out);
}
}  // namespace simd
}  // namespace tw
#endif  // HWY_ONCE
