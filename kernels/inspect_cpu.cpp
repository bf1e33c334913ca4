#include "kernels/inspect.hpp"

#include "kernels/math/bits.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/inspect_cpu.cpp"
#include <hwy/foreach_target.h>

#include "kernels/simd/group-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tw::HWY_NAMESPACE {
#if TW_TARGET_IS_PLAIN
using reference::inspect;
#else
void inspect(const Exec& exec, std::span<const float> values) {
  const std::size_t whole = whole_groups(values.size()), rest = values.size() - whole;
  const Tail tail(values.data() + whole, rest);
  LargestMagnitude largest;
  measure(values.data(), whole, largest);
  measure(tail.values, kGroup, largest);
  if (largest.total() >= kInfinityBits) report(exec, kStatusNonFinite);
}
#endif  // !TW_TARGET_IS_PLAIN
}  // namespace tw::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tw {
HWY_EXPORT(inspect);

void simd::inspect(const Exec& exec, std::span<const float> values) { HWY_DYNAMIC_DISPATCH(inspect)(exec, values); }
}  // namespace tw
#endif  // HWY_ONCE
