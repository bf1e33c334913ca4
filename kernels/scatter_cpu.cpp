// Bound by cache misses, not by arithmetic, so there is nothing for vectors to do: what helps is to ask for lines early
// and, where zeros lie between the values, to write both while a stretch is in L1.
#include "kernels/scatter.hpp"

#include <algorithm>

#include "kernels/math/bits.hpp"

namespace tw::simd {
namespace {

constexpr std::size_t kAhead = 16;      // pairs
constexpr std::size_t kStretch = 4096;  // elements

// Asks for the line of the pair `kAhead` further on.
template <bool write>
void prefetch(std::span<const std::uint32_t> indices, std::size_t j, const float* values) {
  if (j + kAhead < indices.size()) __builtin_prefetch(values + indices[j + kAhead], write);
}

void assign(SparseView pairs, float scale, std::span<float> out) {
  std::size_t j = 0;
  for (std::size_t begin = 0; begin < out.size(); begin += kStretch) {
    const std::size_t end = std::min(begin + kStretch, out.size());
    std::fill(out.data() + begin, out.data() + end, 0.0f);
    for (; j < pairs.indices.size() && pairs.indices[j] < end; ++j) out[pairs.indices[j]] = scale * pairs.values[j];
  }
}

}  // namespace

void gather(const Exec&, std::span<const float> values, SparseBody out) {
  for (std::size_t j = 0; j < out.indices.size(); ++j) {
    prefetch<false>(out.indices, j, values.data());
    out.values[j] = canonical(values[out.indices[j]]);
  }
}

void scatter(const Exec&, SparseView pairs, Blend how, std::span<float> out) {
  if (how.combine == Combine::assign) return assign(pairs, how.scale, out);
  for (std::size_t j = 0; j < pairs.indices.size(); ++j) {
    prefetch<true>(pairs.indices, j, out.data());
    float& target = out[pairs.indices[j]];
    target = target + how.scale * pairs.values[j];
  }
}

void clear_at(const Exec&, std::span<const std::uint32_t> indices, std::span<float> values) {
  for (std::size_t j = 0; j < indices.size(); ++j) {
    prefetch<true>(indices, j, values.data());
    values[indices[j]] = 0.0f;
  }
}

}  // namespace tw::simd
