#include "kernels/scatter.hpp"

#include <algorithm>

#include "kernels/math/bits.hpp"

namespace tw::reference {

void gather(const Exec&, std::span<const float> values, SparseBody out) {
  for (std::size_t j = 0; j < out.indices.size(); ++j) out.values[j] = canonical(values[out.indices[j]]);
}

void scatter(const Exec&, SparseView pairs, Blend how, std::span<float> out) {
  if (how.combine == Combine::assign) std::fill(out.begin(), out.end(), 0.0f);
  for (std::size_t j = 0; j < pairs.indices.size(); ++j) {
    float& target = out[pairs.indices[j]];
    const float value = how.scale * pairs.values[j];
    target = how.combine == Combine::assign ? value : target + value;
  }
}

void clear_at(const Exec&, std::span<const std::uint32_t> indices, std::span<float> values) {
  for (const std::uint32_t i : indices) values[i] = 0.0f;
}

void check_indices(const Exec& exec, std::span<const std::uint32_t> indices, std::uint64_t count) {
  std::uint64_t least = 0;
  for (const std::uint32_t index : indices) {
    if (index < least || index >= count) return report(exec, kStatusBadPayload);
    least = std::uint64_t{index} + 1;
  }
}

}  // namespace tw::reference
