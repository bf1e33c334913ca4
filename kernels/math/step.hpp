// How a step goes into random words (compress/FORMAT.md, section 1): when they are made, or when a kernel runs that was
// captured once, in a graph, and is launched in many steps. Such a kernel finds the step in memory.
#pragma once

#include <cstdint>

#include "kernels/base/philox.hpp"

namespace tw {

/// Words of step 0 brought to another one. Step 0 leaves any words as they are.
constexpr PhiloxWords at_step(PhiloxWords words, std::uint64_t step) {
  words.high[0] ^= static_cast<std::uint32_t>(step);
  words.key[1] ^= static_cast<std::uint32_t>(step >> 32) * 0x85EBCA6Bu;
  return words;
}

/// The words of an op: of the step they were made for or, where there is a record, brought from step 0 to what it
/// holds.
constexpr PhiloxWords at_recorded_step(const PhiloxWords& words, const std::uint64_t* recorded_step) {
  return at_step(words, recorded_step == nullptr ? 0 : *recorded_step);
}

}  // namespace tw
