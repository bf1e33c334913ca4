// What the SIMD ops share, compiled once a target. Included after <hwy/foreach_target.h>, inside nothing.
//
// Ops work on groups of 32 elements: kVectors registers of kWidth lanes, element i of a group in lane i % kWidth of
// register i / kWidth. So the 32 lanes of kernels/math/lanes.hpp are the lanes of these registers on every target. What
// is left of a run behind its last whole group goes through a copy that zeros fill up to a group (`Tail`).
//
// No templates of the standard library are called in here but accessors of spans: what the linker keeps of them must
// not hold instructions of one target.
#if defined(TW_KERNELS_SIMD_GROUP_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TW_KERNELS_SIMD_GROUP_INL
#undef TW_KERNELS_SIMD_GROUP_INL
#else
#define TW_KERNELS_SIMD_GROUP_INL
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/base/operands.hpp"

/// Where a target has no vectors, an op's SIMD version is its reference.
#define TW_TARGET_IS_PLAIN (HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128)

#if !TW_TARGET_IS_PLAIN
HWY_BEFORE_NAMESPACE();
namespace tw::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::CappedTag<float, 16>;
using IntTag = hn::RebindToSigned<FloatTag>;
using UintTag = hn::RebindToUnsigned<FloatTag>;
using Floats = hn::Vec<FloatTag>;
using Ints = hn::Vec<IntTag>;
using Uints = hn::Vec<UintTag>;

inline constexpr std::size_t kGroup = 32;
inline constexpr std::size_t kWidth = hn::MaxLanes(FloatTag());
inline constexpr std::size_t kVectors = kGroup / kWidth;

/// Blocks up to this many elements keep p = values + residual in L1 between their two passes.
inline constexpr std::size_t kKeptBlock = 4096;

/// Results that nobody reads soon go past the cache from this many elements a call on: less than a chunk of a large
/// tensor, whose next residual as a whole is far from fitting.
inline constexpr std::size_t kStreamedCount = std::size_t{1} << 15;

HWY_INLINE std::size_t whole_groups(std::size_t count) { return count / kGroup * kGroup; }
HWY_INLINE Floats load(const float* from) { return hn::LoadU(FloatTag(), from); }
HWY_INLINE Ints bits_of(Floats value) { return hn::BitCast(IntTag(), value); }
HWY_INLINE Ints magnitude_bits_of(Floats value) { return hn::And(bits_of(value), hn::Set(IntTag(), 0x7fffffff)); }

/// 0, 1, 2, ...: from memory, since g++ builds what hn::Iota gives through slow stores of single lanes.
HWY_INLINE Uints lane_numbers() {
  alignas(64) static constexpr std::uint32_t kNumbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return hn::Load(UintTag(), kNumbers);
}

/// Asks for the group 1024 elements ahead: the hardware does not fetch across pages by itself. The address may lie
/// outside of everything, so it is not computed as a pointer.
HWY_INLINE void prefetch_group(const float* from) {
  constexpr std::size_t kAhead = 1024 * sizeof(float), kLine = 64;
  const auto address = reinterpret_cast<std::uintptr_t>(from) + kAhead;
  for (std::size_t i = 0; i < kGroup * sizeof(float); i += kLine)
    hwy::Prefetch(reinterpret_cast<const float*>(address + i));
}

template <bool stream>
HWY_INLINE void store(Floats value, float* to) {
  if constexpr (stream)
    hn::Stream(value, FloatTag(), to);
  else
    hn::StoreU(value, FloatTag(), to);
}

/// out = value, or out = out + value.
template <Combine combine>
HWY_INLINE void blend(Floats value, float* out) {
  hn::StoreU(combine == Combine::assign ? value : hn::Add(load(out), value), FloatTag(), out);
}

/// Whether results of a call may go past the cache: large, and aligned for it. Runs end streaming with FlushStream.
HWY_INLINE bool may_stream(const float* to, std::size_t count) {
  return count >= kStreamedCount && reinterpret_cast<std::uintptr_t>(to) % (kWidth * sizeof(float)) == 0;
}

/// The lanes of `mask`, lane 0 in bit 0.
template <class Tag, class Mask>
HWY_INLINE std::uint32_t bits_of_mask(Tag tag, Mask mask) {
  std::uint8_t bytes[8] = {};
  hn::StoreMaskBits(tag, mask, bytes);
  std::uint32_t bits;
  std::memcpy(&bits, bytes, sizeof bits);
  return bits;
}

/// Error feedback as pointers.
struct Feed {
  const float* in;
  float* out;
};

/// The last elements of a run, fewer than a group, and zeros behind them.
struct Tail {
  HWY_INLINE Tail(const float* from, std::size_t count) {
    for (std::size_t i = 0; i < kGroup; i += kWidth) hn::Store(hn::Zero(FloatTag()), FloatTag(), values + i);
    if (count != 0) std::memcpy(values, from, count * sizeof(float));
  }
  alignas(64) float values[kGroup];
};

/// Largest of the 31-bit magnitudes that were added.
class LargestMagnitude {
 public:
  HWY_INLINE LargestMagnitude() {
    for (Ints& largest : largest_) largest = hn::Zero(IntTag());
  }
  HWY_INLINE void add(std::size_t vector, Floats value) {
    Ints& largest = largest_[vector % kChains];
    largest = hn::Max(largest, magnitude_bits_of(value));
  }
  HWY_INLINE std::uint32_t total() const {
    Ints largest = largest_[0];
    for (std::size_t i = 1; i < kChains; ++i) largest = hn::Max(largest, largest_[i]);
    return static_cast<std::uint32_t>(hn::GetLane(hn::MaxOfLanes(IntTag(), largest)));
  }

 private:
  static constexpr std::size_t kChains = HWY_MIN(kVectors, 4);
  Ints largest_[kChains];
};

/// What needs no measuring.
struct NoStatistic {
  HWY_INLINE void add(std::size_t, Floats) {}
};

/// Shows x to `statistic`: a register and its place in its group at a time. `count` is whole groups here and below.
template <class Statistic>
HWY_INLINE void measure(const float* x, std::size_t count, Statistic& statistic) {
  for (std::size_t i = 0; i < count; i += kGroup) {
    prefetch_group(x + i);
    for (std::size_t v = 0; v < kVectors; ++v) statistic.add(v, load(x + i + v * kWidth));
  }
}

/// p = x + residual, shown to `statistic`. `p` may be x or where the new residual will be.
template <class Statistic>
HWY_INLINE void measure_sum(const float* x, const float* residual, std::size_t count, float* p, Statistic& statistic) {
  for (std::size_t i = 0; i < count; i += kGroup) {
    prefetch_group(x + i);
    prefetch_group(residual + i);
    for (std::size_t v = 0; v < kVectors; ++v) {
      const std::size_t at = i + v * kWidth;
      const Floats sum = hn::Add(load(x + at), load(residual + at));
      hn::StoreU(sum, FloatTag(), p + at);
      statistic.add(v, sum);
    }
  }
}

/// Sum of a register by the xor tree: lane l + lane l + width/2, then half of that.
template <class Tag>
HWY_INLINE hn::TFromD<Tag> fold(Tag tag, hn::Vec<Tag> lanes) {
  if constexpr (hn::MaxLanes(Tag()) == 1) {
    return hn::GetLane(lanes);
  } else {
    const hn::Half<Tag> half;
    return fold(half, hn::Add(hn::LowerHalf(half, lanes), hn::UpperHalf(half, lanes)));
  }
}

}  // namespace tw::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // !TW_TARGET_IS_PLAIN

#endif  // TW_KERNELS_SIMD_GROUP_INL
