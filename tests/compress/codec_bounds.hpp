// What each codec states of its error, checked value by value. A codec without a statement here fails the contract.
#pragma once

#include <span>

#include "tests/compress/codec_harness.hpp"

namespace tw::test {

/// Fails the test unless `y` is within what `coding`'s codec states for the finite input `x`, a whole parameter.
void expect_stated_error(const Coding& coding, std::span<const float> x, std::span<const float> y);

}  // namespace tw::test
