#include "kernels/sample.hpp"

#include "kernels/math/strata.hpp"

namespace tw::reference {

void sample_strata(const Exec&, SampledRun run, std::span<std::uint32_t> indices) {
  for (std::size_t j = 0; j < indices.size(); ++j)
    indices[j] = drawn(stratum(j, indices.size(), run.count), run.words.word(run.first + j));
}

}  // namespace tw::reference
