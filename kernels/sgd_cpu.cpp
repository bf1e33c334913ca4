#include "kernels/sgd.hpp"

#include "kernels/math/sgd.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/sgd_cpu.cpp"
#include <hwy/foreach_target.h>

#include "kernels/simd/group-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tw::HWY_NAMESPACE {
#if TW_TARGET_IS_PLAIN
using reference::descend;
#else
HWY_INLINE Floats flushed(Floats value) {
  const Ints bits = bits_of(value), sign = hn::And(bits, hn::Set(IntTag(), static_cast<std::int32_t>(kSignBit)));
  const auto tiny = hn::Lt(magnitude_bits_of(value), hn::Set(IntTag(), kSmallestNormalBits));
  return hn::BitCast(FloatTag(), hn::IfThenElse(tiny, sign, bits));
}

// A register of each; products and sums apart, as in the formula.
struct Step {
  explicit HWY_INLINE Step(SgdRates rates)
      : learning(hn::Set(FloatTag(), rates.learning)),
        momentum(hn::Set(FloatTag(), rates.momentum)),
        decay(hn::Set(FloatTag(), rates.decay)) {}

  HWY_INLINE void operator()(const float* gradient, float* velocity, float* values) const {
    const Floats value = load(values);
    const Floats pull = hn::Add(load(gradient), hn::Mul(decay, value));
    const Floats speed = flushed(hn::Add(hn::Mul(momentum, load(velocity)), pull));
    hn::StoreU(speed, FloatTag(), velocity);
    hn::StoreU(flushed(hn::Sub(value, hn::Mul(learning, speed))), FloatTag(), values);
  }
  Floats learning, momentum, decay;
};

void descend(const Exec& exec, SgdRates rates, std::span<const float> gradient, std::span<float> velocity,
             std::span<float> values) {
  const std::size_t whole = whole_groups(values.size());
  const Step step(rates);
  for (std::size_t i = 0; i < whole; i += kGroup) {
    prefetch_group(gradient.data() + i);
    prefetch_group(velocity.data() + i);
    prefetch_group(values.data() + i);
    for (std::size_t at = i; at < i + kGroup; at += kWidth)
      step(gradient.data() + at, velocity.data() + at, values.data() + at);
  }
  reference::descend(exec, rates, gradient.subspan(whole), velocity.subspan(whole), values.subspan(whole));
}
#endif  // !TW_TARGET_IS_PLAIN
}  // namespace tw::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tw {
HWY_EXPORT(descend);

namespace simd {
void descend(const Exec& exec, SgdRates rates, std::span<const float> gradient, std::span<float> velocity,
             std::span<float> values) {
  HWY_DYNAMIC_DISPATCH(descend)(exec, rates, gradient, velocity, values);
}
}  // namespace simd
}  // namespace tw
#endif  // HWY_ONCE
