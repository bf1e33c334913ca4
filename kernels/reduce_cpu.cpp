#include "kernels/reduce.hpp"

#include "kernels/math/bits.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/reduce_cpu.cpp"
#include <hwy/foreach_target.h>

#include "kernels/simd/group-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tw::HWY_NAMESPACE {
#if TW_TARGET_IS_PLAIN
using reference::accumulate;
using reference::average;
using reference::divide;
#else
void accumulate(const Exec&, std::span<const float> addend, std::span<float> sum) {
  const std::size_t count = sum.size(), whole = whole_groups(count);
  const float* from = addend.data();
  float* to = sum.data();
  for (std::size_t i = 0; i < whole; i += kGroup) {
    prefetch_group(from + i);
    prefetch_group(to + i);
    for (std::size_t at = i; at < i + kGroup; at += kWidth) blend<Combine::add>(load(from + at), to + at);
  }
  for (std::size_t i = whole; i < count; ++i) to[i] = to[i] + from[i];
}

void divide(const Exec&, std::span<float> values, float divisor) {
  const std::size_t count = values.size(), whole = whole_groups(count);
  float* to = values.data();
  const Floats divisors = hn::Set(FloatTag(), divisor);
  for (std::size_t i = 0; i < whole; i += kGroup) {
    prefetch_group(to + i);
    for (std::size_t at = i; at < i + kGroup; at += kWidth)
      hn::StoreU(hn::Div(load(to + at), divisors), FloatTag(), to + at);
  }
  for (std::size_t i = whole; i < count; ++i) to[i] = to[i] / divisor;
}

void average(const Exec& exec, std::span<float> addend, float divisor, std::span<float> sum) {
  const std::size_t count = sum.size(), whole = whole_groups(count);
  const Floats divisors = hn::Set(FloatTag(), divisor);
  LargestMagnitude largest;
  for (std::size_t i = 0; i < whole; i += kGroup) {
    prefetch_group(addend.data() + i);
    prefetch_group(sum.data() + i);
    for (std::size_t v = 0; v < kVectors; ++v) {
      const std::size_t at = i + v * kWidth;
      const Floats mean = hn::Div(hn::Add(load(sum.data() + at), load(addend.data() + at)), divisors);
      largest.add(v, mean);
      hn::StoreU(mean, FloatTag(), sum.data() + at);
      hn::StoreU(mean, FloatTag(), addend.data() + at);
    }
  }
  reference::average(exec, addend.subspan(whole), divisor, sum.subspan(whole));
  if (largest.total() < kInfinityBits) return;
  report(exec, kStatusNonFinite);
  for (std::size_t i = 0; i < whole; ++i) sum[i] = addend[i] = canonical(sum[i]);
}
#endif  // !TW_TARGET_IS_PLAIN
}  // namespace tw::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tw {
HWY_EXPORT(accumulate);
HWY_EXPORT(average);
HWY_EXPORT(divide);

namespace simd {
void accumulate(const Exec& exec, std::span<const float> addend, std::span<float> sum) {
  HWY_DYNAMIC_DISPATCH(accumulate)(exec, addend, sum);
}
void average(const Exec& exec, std::span<float> addend, float divisor, std::span<float> sum) {
  HWY_DYNAMIC_DISPATCH(average)(exec, addend, divisor, sum);
}
void divide(const Exec& exec, std::span<float> values, float divisor) {
  HWY_DYNAMIC_DISPATCH(divide)(exec, values, divisor);
}
}  // namespace simd
}  // namespace tw
#endif  // HWY_ONCE
