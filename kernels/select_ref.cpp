// The k-th largest magnitude by three histograms over its 31 bits (11, 10 and 10 at a time), then one pass that writes
// what is above it and the first ones that equal it.
#include "kernels/select.hpp"

#include <array>

#include "kernels/inspect.hpp"
#include "kernels/reference.hpp"

namespace tw::reference {
namespace {

// What is selected: every magnitude above `threshold`, and the first `ties` that equal it.
struct Cut {
  std::uint32_t threshold = 0;
  std::uint64_t ties = 0;
};

// Narrows `cut` by the `width` bits from `shift` on: of the magnitudes that share its higher bits, `cut.ties` are still
// to be selected.
Cut narrowed(std::span<const float> values, Cut cut, std::uint32_t shift, std::uint32_t width) {
  std::array<std::uint64_t, 2048> counts{};
  const std::uint32_t above = shift + width;
  for (const float value : values) {
    const std::uint32_t bits = magnitude_bits(value);
    if (bits >> above == cut.threshold >> above) ++counts[bits >> shift & ((1u << width) - 1)];
  }
  std::uint32_t digit = (1u << width) - 1;
  while (counts[digit] < cut.ties) cut.ties -= counts[digit--];
  cut.threshold |= digit << shift;
  return cut;
}

}  // namespace

void select_largest(const Exec& exec, std::span<const float> values, SparseBody out) {
  inspect(exec, values);
  if (out.indices.empty()) return;
  Cut cut{0, out.indices.size()};
  cut = narrowed(values, cut, 20, 11);
  cut = narrowed(values, cut, 10, 10);
  cut = narrowed(values, cut, 0, 10);
  for (std::size_t i = 0, j = 0; j < out.indices.size(); ++i) {
    const std::uint32_t bits = magnitude_bits(values[i]);
    const bool tie = bits == cut.threshold && cut.ties != 0;
    if (bits <= cut.threshold && !tie) continue;
    if (tie) --cut.ties;
    out.indices[j] = static_cast<std::uint32_t>(i);
    out.values[j++] = canonical(values[i]);
  }
}

void select_largest_feedback(const Exec& exec, std::span<const float> values, Feedback feedback, SparseBody out) {
  const std::span<float> p = corrected(values, feedback);
  select_largest(exec, p, out);
  for (const std::uint32_t i : out.indices) p[i] = p[i] - p[i];
}

}  // namespace tw::reference
