// Element-wise sums and the division that makes them a mean. All in f32, elements independent of each other, so any
// order of elements gives the same bytes.
#pragma once

#include <span>

#include <tightwire/exec.hpp>

namespace tw {

/// sum[i] += addend[i]. Equal lengths.
void accumulate(const Exec& exec, std::span<const float> addend, std::span<float> sum);

/// values[i] /= divisor: one rounding, unlike a multiplication with 1 / divisor.
void divide(const Exec& exec, std::span<float> values, float divisor);

}  // namespace tw
