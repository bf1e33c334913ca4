// Random indices without replacement that anybody can draw again: one in each of k strata (kernels/math/strata.hpp).
//
//   index_j = drawn(stratum(j, k, count), words.word(first + j))
//
// They ascend, cost one word each, and each element is drawn with probability 1 / (size of its stratum). What makes the
// drawn values unbiased:
//
//   value_j = canonical(value_j * f32(size of stratum(j, k, count)))
#pragma once

#include <cstdint>
#include <span>

#include "kernels/base/kernel.hpp"
#include "kernels/base/philox.hpp"

namespace tw {

/// The run that is sampled: `count` <= 2^32 elements from `first` on.
struct SampledRun {
  PhiloxWords words;
  std::uint64_t first;
  std::uint64_t count;
  const std::uint64_t* recorded_step = nullptr;  ///< brings the words to it (kernels/math/step.hpp)
};

/// indices.size() <= run.count of them, relative to the run.
using SampleStrata = void(const Exec&, SampledRun, std::span<std::uint32_t> indices);
/// values.size() <= count: one a stratum of `count` elements.
using ScaleByStrata = void(const Exec&, std::uint64_t count, std::span<float> values);

namespace reference {
SampleStrata sample_strata;
ScaleByStrata scale_by_strata;
}  // namespace reference
namespace simd {
SampleStrata sample_strata;
}
namespace cuda {
SampleStrata sample_strata;
ScaleByStrata scale_by_strata;
}  // namespace cuda

inline constexpr Kernel<SampleStrata> sample_strata{reference::sample_strata, simd::sample_strata, cuda::sample_strata};
inline constexpr Kernel<ScaleByStrata> scale_by_strata{reference::scale_by_strata, reference::scale_by_strata,
                                                       cuda::scale_by_strata};

}  // namespace tw
