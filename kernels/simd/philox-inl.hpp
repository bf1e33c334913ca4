// Philox4x32-10 (kernels/base/philox.hpp) for kWidth counters at a time: register j holds word j of each.
#if defined(TW_KERNELS_SIMD_PHILOX_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TW_KERNELS_SIMD_PHILOX_INL
#undef TW_KERNELS_SIMD_PHILOX_INL
#else
#define TW_KERNELS_SIMD_PHILOX_INL
#endif

#include "kernels/base/philox.hpp"
#include "kernels/simd/group-inl.hpp"

#if !TW_TARGET_IS_PLAIN
HWY_BEFORE_NAMESPACE();
namespace tw::HWY_NAMESPACE {

/// Words that one call of `next_words` makes.
inline constexpr std::size_t kWordBatch = 4 * kWidth;

struct Product {
  Uints high, low;
};

/// 64-bit products of all lanes with `multiplier`.
HWY_INLINE Product wide_product(Uints lanes, Uints multiplier) {
  const hn::Repartition<std::uint64_t, UintTag> wide;
  const auto even = hn::MulEven(lanes, multiplier);
  const auto odd = hn::MulEven(hn::BitCast(UintTag(), hn::ShiftRight<32>(hn::BitCast(wide, lanes))), multiplier);
  return {hn::OddEven(hn::BitCast(UintTag(), odd), hn::BitCast(UintTag(), hn::ShiftRight<32>(even))),
          hn::OddEven(hn::BitCast(UintTag(), hn::ShiftLeft<32>(odd)), hn::BitCast(UintTag(), even))};
}

/// Words of quads `quad` to `quad + kWidth - 1`, in their order. `quad` is a multiple of kWidth, so that no counter's
/// lower half wraps on the way.
HWY_INLINE void next_words(const PhiloxWords& words, std::uint64_t quad, std::uint32_t* out) {
  const auto low = static_cast<std::uint32_t>(quad), high = static_cast<std::uint32_t>(quad >> 32);
  Uints c0 = hn::Add(lane_numbers(), hn::Set(UintTag(), low)), c1 = hn::Set(UintTag(), high);
  Uints c2 = hn::Set(UintTag(), words.high.data()[0]), c3 = hn::Set(UintTag(), words.high.data()[1]);
  Uints key0 = hn::Set(UintTag(), words.key.data()[0]), key1 = hn::Set(UintTag(), words.key.data()[1]);
  for (int round = 0; round < 10; ++round) {
    const Product p0 = wide_product(c0, hn::Set(UintTag(), 0xD2511F53u));
    const Product p1 = wide_product(c2, hn::Set(UintTag(), 0xCD9E8D57u));
    c0 = hn::Xor(p1.high, hn::Xor(c1, key0));
    c1 = p1.low;
    c2 = hn::Xor(p0.high, hn::Xor(c3, key1));
    c3 = p0.low;
    key0 = hn::Add(key0, hn::Set(UintTag(), 0x9E3779B9u));
    key1 = hn::Add(key1, hn::Set(UintTag(), 0xBB67AE85u));
  }
  hn::StoreInterleaved4(c0, c1, c2, c3, UintTag(), out);
}

}  // namespace tw::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // !TW_TARGET_IS_PLAIN

#endif  // TW_KERNELS_SIMD_PHILOX_INL
