// Words in batches, then one index each; the strata's ends are followed without a division: the j-th ends at
// floor((j + 1) * count / k), whose remainder is carried along.
#include "kernels/sample.hpp"

#include "kernels/math/step.hpp"
#include "kernels/math/strata.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/sample_cpu.cpp"
#include <hwy/foreach_target.h>

#include "kernels/simd/group-inl.hpp"
#include "kernels/simd/philox-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tw::HWY_NAMESPACE {
#if TW_TARGET_IS_PLAIN
using reference::sample_strata;
#else
void sample_strata(const Exec&, SampledRun run, std::span<std::uint32_t> indices) {
  const std::uint64_t parts = indices.size();
  if (parts == 0) return;
  const std::uint64_t step = run.count / parts, remainder = run.count % parts;
  const PhiloxWords random = at_recorded_step(run.words, run.recorded_step);
  alignas(64) std::uint32_t words[kWordBatch];
  Stratum here{0, 0};
  std::uint64_t carried = 0, drawn_quad = UINT64_MAX;
  for (std::uint64_t j = 0; j < parts; ++j) {
    here = {here.first + here.count, step};
    if ((carried += remainder) >= parts) carried -= parts, ++here.count;
    const std::uint64_t word = run.first + j, quad = word / kWordBatch * (kWordBatch / 4);
    if (quad != drawn_quad) next_words(random, drawn_quad = quad, words);
    indices.data()[j] = drawn(here, words[word % kWordBatch]);
  }
}
#endif  // !TW_TARGET_IS_PLAIN
}  // namespace tw::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tw {
HWY_EXPORT(sample_strata);

void simd::sample_strata(const Exec& exec, SampledRun run, std::span<std::uint32_t> indices) {
  HWY_DYNAMIC_DISPATCH(sample_strata)(exec, run, indices);
}
}  // namespace tw
#endif  // HWY_ONCE
