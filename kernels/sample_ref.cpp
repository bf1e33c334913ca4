#include "kernels/sample.hpp"

#include "kernels/math/bits.hpp"
#include "kernels/math/step.hpp"
#include "kernels/math/strata.hpp"

namespace tw::reference {

void sample_strata(const Exec&, SampledRun run, std::span<std::uint32_t> indices) {
  const PhiloxWords words = at_recorded_step(run.words, run.recorded_step);
  for (std::size_t j = 0; j < indices.size(); ++j)
    indices[j] = drawn(stratum(j, indices.size(), run.count), words.word(run.first + j));
}

void scale_by_strata(const Exec&, std::uint64_t count, std::span<float> values) {
  for (std::uint64_t j = 0; j < values.size(); ++j)
    values[j] = canonical(values[j] * static_cast<float>(stratum(j, values.size(), count).count));
}

}  // namespace tw::reference
