// 16 values are converted as if all were finite while their largest magnitude is found; a stretch that turns out to
// hold others is done again by the reference.
#include "kernels/cast.hpp"

#include "kernels/math/cast.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cast_cpu.cpp"
#include <hwy/foreach_target.h>

#include "kernels/simd/group-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tw::HWY_NAMESPACE {
#if TW_TARGET_IS_PLAIN
using reference::blend_values;
using reference::copy_values;
using reference::narrow;
using reference::narrow_feedback;
using reference::widen;
#else
namespace {

using HalfTag = hn::Rebind<std::uint16_t, FloatTag>;
using Halves = hn::Vec<HalfTag>;

HWY_INLINE Uints uints(std::uint32_t value) { return hn::Set(UintTag(), value); }

// `bits + half a unit of bit 13 or 16, ties to even`, shifted down.
template <int shift>
HWY_INLINE Uints shifted_to_even(Uints bits) {
  const Uints odd = hn::And(hn::ShiftRight<shift>(bits), uints(1));
  return hn::ShiftRight<shift>(hn::Add(hn::Add(bits, uints((1u << (shift - 1)) - 1)), odd));
}

// bfloat16 of finite values; kernels/math/cast.hpp.
struct FastBrain {
  static HWY_INLINE Halves narrow(Floats value) {
    const Uints bits = hn::BitCast(UintTag(), value), sign = hn::And(bits, uints(kSignBit));
    const Uints magnitude = hn::Min(hn::Xor(bits, sign), uints(BrainCast::kLargest));
    return hn::TruncateTo(HalfTag(), hn::Or(shifted_to_even<16>(magnitude), hn::ShiftRight<16>(sign)));
  }
  static HWY_INLINE Floats widen(Halves half) {
    return hn::BitCast(FloatTag(), hn::ShiftLeft<16>(hn::PromoteTo(UintTag(), half)));
  }
};

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
// binary16 by the processor: round to nearest even, and exact with denormals, whatever MXCSR says of these.
struct FastHalf {
  using Tag = hn::Rebind<hwy::float16_t, FloatTag>;

  static HWY_INLINE Halves narrow(Floats value) {
    const Floats largest = hn::Set(FloatTag(), 65504.0f);
    const Floats saturated = hn::Max(hn::Min(value, largest), hn::Neg(largest));
    return hn::BitCast(HalfTag(), hn::DemoteTo(Tag(), saturated));
  }
  static HWY_INLINE Floats widen(Halves half) {
    const Floats value = hn::PromoteTo(FloatTag(), hn::BitCast(Tag(), half));
    return hn::IfThenElse(hn::IsNaN(value), hn::Set(FloatTag(), kNan), value);
  }
};
#else
// binary16. Denormals of 2^-24 are rounded by adding 0.5, whose unit in the last place is 2^-24; coming back, a number
// with an exponent too many has 2^-14 subtracted. Neither meets f32 denormals but where the result is 0.
struct FastHalf {
  static constexpr std::uint32_t kRebias = 112u << 23, kSmallestNormal = 113u << 23, kHalf = 0x3f000000u;

  static HWY_INLINE Halves narrow(Floats value) {
    const Uints bits = hn::BitCast(UintTag(), value), sign = hn::And(bits, uints(kSignBit));
    const Uints magnitude = hn::Min(hn::Xor(bits, sign), uints(HalfCast::kLargest));
    const Uints normal = shifted_to_even<13>(hn::Sub(magnitude, uints(kRebias)));
    const Floats shifted = hn::Add(hn::BitCast(FloatTag(), magnitude), hn::Set(FloatTag(), 0.5f));
    const Uints denormal = hn::Sub(hn::BitCast(UintTag(), shifted), uints(kHalf));
    const auto is_denormal = hn::Gt(hn::Set(IntTag(), kSmallestNormal), hn::BitCast(IntTag(), magnitude));
    const Uints half = hn::IfThenElse(hn::RebindMask(UintTag(), is_denormal), denormal, normal);
    return hn::TruncateTo(HalfTag(), hn::Or(half, hn::ShiftRight<16>(sign)));
  }
  static HWY_INLINE Floats widen(Halves half) {
    const Uints wide = hn::PromoteTo(UintTag(), half);
    const Uints sign = hn::ShiftLeft<16>(hn::And(wide, uints(0x8000)));
    const Uints shifted = hn::ShiftLeft<13>(hn::And(wide, uints(0x7fff)));
    const Floats denormal = hn::Sub(hn::BitCast(FloatTag(), hn::Add(shifted, uints(kSmallestNormal))),
                                    hn::BitCast(FloatTag(), uints(kSmallestNormal)));
    const auto below = hn::Gt(hn::Set(IntTag(), 1 << 23), hn::BitCast(IntTag(), shifted));
    const auto above = hn::Gt(hn::BitCast(IntTag(), shifted), hn::Set(IntTag(), (31 << 23) - 1));
    const auto nan = hn::Gt(hn::BitCast(IntTag(), shifted), hn::Set(IntTag(), 31 << 23));
    Uints bits = hn::Add(shifted, hn::IfThenElse(hn::RebindMask(UintTag(), above), uints(2 * kRebias), uints(kRebias)));
    bits = hn::IfThenElse(hn::RebindMask(UintTag(), below), hn::BitCast(UintTag(), denormal), bits);
    bits = hn::Or(bits, sign);
    return hn::BitCast(FloatTag(), hn::IfThenElse(hn::RebindMask(UintTag(), nan), uints(kNanBits), bits));
  }
};
#endif

constexpr std::size_t kStretch = 1024;

template <class Half>
HWY_INLINE void narrow_groups(const float* x, std::size_t count, std::uint16_t* bits, LargestMagnitude& largest) {
  for (std::size_t i = 0; i < count; i += kGroup) {
    prefetch_group(x + i);
    for (std::size_t v = 0; v < kVectors; ++v) {
      const Floats value = load(x + i + v * kWidth);
      largest.add(v, value);
      hn::StoreU(Half::narrow(value), HalfTag(), bits + i + v * kWidth);
    }
  }
}

template <class Half, bool stream>
HWY_INLINE void narrow_groups(const float* x, std::size_t count, Feed residual, std::uint16_t* bits,
                              LargestMagnitude& largest) {
  for (std::size_t i = 0; i < count; i += kGroup) {
    prefetch_group(x + i);
    prefetch_group(residual.in + i);
    for (std::size_t v = 0; v < kVectors; ++v) {
      const std::size_t at = i + v * kWidth;
      const Floats p = hn::Add(load(x + at), load(residual.in + at));
      const Halves half = Half::narrow(p);
      largest.add(v, p);
      hn::StoreU(half, HalfTag(), bits + at);
      store<stream>(hn::Sub(p, Half::widen(half)), residual.out + at);
    }
  }
}

// Return whether all was finite.
template <class Half>
bool narrow_stretch(const float* x, std::size_t count, std::uint16_t* bits) {
  const std::size_t whole = whole_groups(count), rest = count - whole;
  LargestMagnitude largest;
  narrow_groups<Half>(x, whole, bits, largest);
  if (rest != 0) {
    const Tail tail(x + whole, rest);
    std::uint16_t last[kGroup];
    narrow_groups<Half>(tail.values, kGroup, last, largest);
    std::memcpy(bits + whole, last, rest * sizeof(std::uint16_t));
  }
  return largest.total() < kInfinityBits;
}

template <class Half, bool stream>
bool narrow_stretch(const float* x, std::size_t count, Feed residual, std::uint16_t* bits) {
  const std::size_t whole = whole_groups(count), rest = count - whole;
  LargestMagnitude largest;
  narrow_groups<Half, stream>(x, whole, residual, bits, largest);
  if (rest != 0) {
    const Tail tail(x + whole, rest);
    Tail tail_residual(residual.in + whole, rest);
    std::uint16_t last[kGroup];
    narrow_groups<Half, false>(tail.values, kGroup, {tail_residual.values, tail_residual.values}, last, largest);
    std::memcpy(bits + whole, last, rest * sizeof(std::uint16_t));
    std::memcpy(residual.out + whole, tail_residual.values, rest * sizeof(float));
  }
  return largest.total() < kInfinityBits;
}

template <class Half, bool stream>
void narrow_all(const Exec& exec, std::span<const float> values, Feedback feedback, DType dtype,
                std::span<std::uint16_t> bits) {
  for (std::size_t i = 0; i < values.size(); i += kStretch) {
    const std::size_t count = HWY_MIN(kStretch, values.size() - i);
    const Feed residual{feedback.residual_in.data() + i, feedback.residual_out.data() + i};
    if (!narrow_stretch<Half, stream>(values.data() + i, count, residual, bits.data() + i))
      reference::narrow_feedback(exec, {values.data() + i, count}, {{residual.in, count}, {residual.out, count}}, dtype,
                                 {bits.data() + i, count});
  }
  if (stream) hwy::FlushStream();
}

template <class Half, Combine combine>
HWY_INLINE void widen_groups(const std::uint16_t* bits, std::size_t count, Floats scale, float* out) {
  for (std::size_t i = 0; i < count; i += kGroup) {
    if (combine == Combine::add) prefetch_group(out + i);
    for (std::size_t at = i; at < i + kGroup; at += kWidth)
      blend<combine>(hn::Mul(scale, Half::widen(hn::LoadU(HalfTag(), bits + at))), out + at);
  }
}

template <class Half, Combine combine>
void widen_all(const std::uint16_t* bits, std::size_t count, float scale, float* out) {
  const std::size_t whole = whole_groups(count), rest = count - whole;
  const Floats factor = hn::Set(FloatTag(), scale);
  widen_groups<Half, combine>(bits, whole, factor, out);
  if (rest == 0) return;
  std::uint16_t last[kGroup] = {};
  std::memcpy(last, bits + whole, rest * sizeof(std::uint16_t));
  Tail tail(out + whole, rest);
  widen_groups<Half, combine>(last, kGroup, factor, tail.values);
  std::memcpy(out + whole, tail.values, rest * sizeof(float));
}

HWY_INLINE void copy_groups(const float* x, std::size_t count, float* out, LargestMagnitude& largest) {
  for (std::size_t i = 0; i < count; i += kGroup) {
    prefetch_group(x + i);
    for (std::size_t v = 0; v < kVectors; ++v) {
      const Floats value = load(x + i + v * kWidth);
      largest.add(v, value);
      hn::StoreU(value, FloatTag(), out + i + v * kWidth);
    }
  }
}

bool copy_stretch(const float* x, std::size_t count, float* out) {
  const std::size_t whole = whole_groups(count), rest = count - whole;
  LargestMagnitude largest;
  copy_groups(x, whole, out, largest);
  if (rest != 0) {
    Tail tail(x + whole, rest);
    copy_groups(tail.values, kGroup, tail.values, largest);
    std::memcpy(out + whole, tail.values, rest * sizeof(float));
  }
  return largest.total() < kInfinityBits;
}

template <Combine combine>
void blend_all(const float* x, std::size_t count, float scale, float* out) {
  const std::size_t whole = whole_groups(count);
  const Floats factor = hn::Set(FloatTag(), scale);
  for (std::size_t i = 0; i < whole; i += kGroup) {
    prefetch_group(x + i);
    if (combine == Combine::add) prefetch_group(out + i);
    for (std::size_t at = i; at < i + kGroup; at += kWidth) blend<combine>(hn::Mul(factor, load(x + at)), out + at);
  }
  for (std::size_t i = whole; i < count; ++i)
    out[i] = combine == Combine::assign ? scale * x[i] : out[i] + scale * x[i];
}

}  // namespace

void narrow(const Exec& exec, std::span<const float> values, DType dtype, std::span<std::uint16_t> bits) {
  for (std::size_t i = 0; i < values.size(); i += kStretch) {
    const std::size_t count = HWY_MIN(kStretch, values.size() - i);
    const bool finite = dtype == DType::f16 ? narrow_stretch<FastHalf>(values.data() + i, count, bits.data() + i)
                                            : narrow_stretch<FastBrain>(values.data() + i, count, bits.data() + i);
    if (!finite) reference::narrow(exec, {values.data() + i, count}, dtype, {bits.data() + i, count});
  }
}

void narrow_feedback(const Exec& exec, std::span<const float> values, Feedback feedback, DType dtype,
                     std::span<std::uint16_t> bits) {
  const bool stream = may_stream(feedback.residual_out.data(), values.size());
  if (dtype == DType::f16)
    (stream ? narrow_all<FastHalf, true> : narrow_all<FastHalf, false>)(exec, values, feedback, dtype, bits);
  else
    (stream ? narrow_all<FastBrain, true> : narrow_all<FastBrain, false>)(exec, values, feedback, dtype, bits);
}

void widen(const Exec&, std::span<const std::uint16_t> bits, DType dtype, Blend how, std::span<float> out) {
  const bool assign = how.combine == Combine::assign;
  if (dtype == DType::f16)
    (assign ? widen_all<FastHalf, Combine::assign> : widen_all<FastHalf, Combine::add>)(bits.data(), bits.size(),
                                                                                        how.scale, out.data());
  else
    (assign ? widen_all<FastBrain, Combine::assign> : widen_all<FastBrain, Combine::add>)(bits.data(), bits.size(),
                                                                                          how.scale, out.data());
}

void copy_values(const Exec& exec, std::span<const float> values, std::span<float> out) {
  for (std::size_t i = 0; i < values.size(); i += kStretch) {
    const std::size_t count = HWY_MIN(kStretch, values.size() - i);
    if (!copy_stretch(values.data() + i, count, out.data() + i))
      reference::copy_values(exec, {values.data() + i, count}, {out.data() + i, count});
  }
}

void blend_values(const Exec&, std::span<const float> values, Blend how, std::span<float> out) {
  const bool assign = how.combine == Combine::assign;
  (assign ? blend_all<Combine::assign> : blend_all<Combine::add>)(values.data(), values.size(), how.scale, out.data());
}
#endif  // !TW_TARGET_IS_PLAIN
}  // namespace tw::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tw {
HWY_EXPORT(narrow);
HWY_EXPORT(narrow_feedback);
HWY_EXPORT(widen);
HWY_EXPORT(copy_values);
HWY_EXPORT(blend_values);

namespace simd {
void narrow(const Exec& exec, std::span<const float> values, DType dtype, std::span<std::uint16_t> bits) {
  HWY_DYNAMIC_DISPATCH(narrow)(exec, values, dtype, bits);
}
void narrow_feedback(const Exec& exec, std::span<const float> values, Feedback feedback, DType dtype,
                     std::span<std::uint16_t> bits) {
  HWY_DYNAMIC_DISPATCH(narrow_feedback)(exec, values, feedback, dtype, bits);
}
void widen(const Exec& exec, std::span<const std::uint16_t> bits, DType dtype, Blend how, std::span<float> out) {
  HWY_DYNAMIC_DISPATCH(widen)(exec, bits, dtype, how, out);
}
void copy_values(const Exec& exec, std::span<const float> values, std::span<float> out) {
  HWY_DYNAMIC_DISPATCH(copy_values)(exec, values, out);
}
void blend_values(const Exec& exec, std::span<const float> values, Blend how, std::span<float> out) {
  HWY_DYNAMIC_DISPATCH(blend_values)(exec, values, how, out);
}
}  // namespace simd
}  // namespace tw
#endif  // HWY_ONCE
