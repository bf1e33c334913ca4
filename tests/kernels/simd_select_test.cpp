// Selection on inputs made against its shortcuts: the sample sees too much or too little, the candidates' room ends
// again and again. Equal to the reference all the same.
#include <gtest/gtest.h>

#include <vector>

#include "kernels/base/philox.hpp"
#include "kernels/base/target.hpp"
#include "kernels/select.hpp"
#include "tests/support/inputs.hpp"

namespace tw::test {
namespace {

constexpr std::size_t kCount = 60000, kSelected = 600;

struct Selected {
  std::vector<std::uint32_t> indices = std::vector<std::uint32_t>(kSelected);
  std::vector<float> values = std::vector<float>(kSelected);
  bool operator==(const Selected&) const = default;
};

Selected selected(Backend backend, const std::vector<float>& values) {
  Selected out;
  select_largest({.backend = backend}, values, {out.indices, out.values});
  return out;
}

void expect_reference(const std::vector<float>& values) {
  const Selected expected = selected(Backend::reference, values);
  for (const std::string& target : simd_targets()) {
    use_simd_target(target);
    EXPECT_EQ(selected(Backend::simd, values), expected) << target;
  }
  use_simd_target("");
}

template <class Value>
std::vector<float> filled(Value value) {
  std::vector<float> values(kCount);
  for (std::size_t i = 0; i < kCount; ++i) values[i] = value(i);
  return values;
}

TEST(SimdSelect, AscendingMagnitudesOverflowTheCandidatesAllTheTime) {
  expect_reference(filled([](std::size_t i) { return static_cast<float>(i); }));
}

TEST(SimdSelect, DescendingMagnitudes) {
  expect_reference(filled([](std::size_t i) { return -static_cast<float>(kCount - i); }));
}

TEST(SimdSelect, AllEqual) {
  expect_reference(filled([](std::size_t i) { return i % 2 == 0 ? 1.5f : -1.5f; }));
}

// Whole cache lines are large or small, so that a sample of lines is far off in either direction.
TEST(SimdSelect, ClusteredMagnitudesFoolTheSample) {
  constexpr std::size_t kCluster = 16;
  for (std::uint32_t variant = 0; variant < 60; ++variant) {
    const PhiloxWords words{{variant, 1}, {2, 3}};
    expect_reference(filled([&](std::size_t i) {
      const bool large = words.word(i / kCluster) < 0xffffffffu / 100;
      return static_cast<float>(i * 7919 % 1000) * (large ? 1.0f : 1e-6f);
    }));
  }
}

}  // namespace
}  // namespace tw::test
