#include "kernels/feedback.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/feedback_cpu.cpp"
#include <hwy/foreach_target.h>

#include "kernels/simd/group-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tw::HWY_NAMESPACE {
#if TW_TARGET_IS_PLAIN
using reference::correct;
using reference::remainder;
#else
struct Sum {
  HWY_INLINE Floats operator()(Floats a, Floats b) const { return hn::Add(a, b); }
  HWY_INLINE float operator()(float a, float b) const { return a + b; }
};
struct Difference {
  HWY_INLINE Floats operator()(Floats a, Floats b) const { return hn::Sub(a, b); }
  HWY_INLINE float operator()(float a, float b) const { return a - b; }
};

template <bool stream, class Op>
HWY_INLINE void combine_groups(const float* a, const float* b, float* out, std::size_t whole, Op op) {
  for (std::size_t i = 0; i < whole; i += kGroup) {
    prefetch_group(a + i);
    prefetch_group(b + i);
    for (std::size_t at = i; at < i + kGroup; at += kWidth) store<stream>(op(load(a + at), load(b + at)), out + at);
  }
  if (stream) hwy::FlushStream();
}

template <class Op>
HWY_INLINE void combine(std::span<const float> a, std::span<const float> b, std::span<float> out, Op op, bool stream) {
  const std::size_t count = out.size(), whole = whole_groups(count);
  if (stream)
    combine_groups<true>(a.data(), b.data(), out.data(), whole, op);
  else
    combine_groups<false>(a.data(), b.data(), out.data(), whole, op);
  for (std::size_t i = whole; i < count; ++i) out[i] = op(a[i], b[i]);
}

// p is encoded next: it stays in the cache.
void correct(const Exec&, std::span<const float> gradient, std::span<const float> residual, std::span<float> p) {
  combine(gradient, residual, p, Sum{}, false);
}

void remainder(const Exec&, std::span<const float> p, std::span<const float> own, std::span<float> next) {
  combine(p, own, next, Difference{}, may_stream(next.data(), next.size()));
}
#endif  // !TW_TARGET_IS_PLAIN
}  // namespace tw::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tw {
HWY_EXPORT(correct);
HWY_EXPORT(remainder);

namespace simd {
void correct(const Exec& exec, std::span<const float> gradient, std::span<const float> residual, std::span<float> p) {
  HWY_DYNAMIC_DISPATCH(correct)(exec, gradient, residual, p);
}
void remainder(const Exec& exec, std::span<const float> p, std::span<const float> own, std::span<float> next) {
  HWY_DYNAMIC_DISPATCH(remainder)(exec, p, own, next);
}
}  // namespace simd
}  // namespace tw
#endif  // HWY_ONCE
