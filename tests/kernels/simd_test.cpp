// The SIMD versions give the reference's bytes: every op, on every target that the machine has, over the edges of
// registers, groups and blocks, misaligned, on every family of input. The whole matrix on three targets, small sizes on
// the rest.
#include <gtest/gtest.h>

#include "kernels/base/target.hpp"
#include "tests/kernels/simd_ops.hpp"

namespace tw::test {
namespace {

std::vector<std::string> targets_for(std::uint64_t count) {
  constexpr std::uint64_t kSmall = 1023;
  constexpr std::size_t kWholeMatrix = 3;
  std::vector<std::string> targets = simd_targets();
  if (count > kSmall && targets.size() > kWholeMatrix) targets.resize(kWholeMatrix);
  return targets;
}

class SimdOpTest : public ::testing::TestWithParam<SimdOp> {
 protected:
  ~SimdOpTest() override { use_simd_target(""); }

  void compare(const Operands& operands, const std::string& what) {
    const Outcome expected = GetParam().run({.backend = Backend::reference}, operands);
    for (const std::string& target : targets_for(operands.count)) {
      use_simd_target(target);
      const std::string differs = difference(expected, GetParam().run({.backend = Backend::simd}, operands));
      ASSERT_EQ(differs, "") << target << ", " << what << ", " << operands.count << " elements, offset "
                             << operands.offset;
    }
  }
};

// Inputs are made once for all ops.
const std::vector<float>& input(Family family, std::uint32_t variant) {
  static std::vector<float> inputs[std::size(kFamilies)][2];
  std::vector<float>& values = inputs[static_cast<std::size_t>(family)][variant];
  if (values.empty()) values = make_input(family, sizes_under_test().back(), DType::f32, variant);
  return values;
}

Operands operands_of(Family family, std::uint64_t count, std::size_t offset) {
  const auto front = [count](const std::vector<float>& all) {
    return std::vector<float>(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count));
  };
  return {count, offset, front(input(family, 0)), front(input(Family::heavy, 1))};
}

TEST_P(SimdOpTest, GivesTheReferencesBytes) {
  for (const Family family : kFamilies)
    for (const std::uint64_t count : sizes_under_test())
      for (const std::size_t offset : {0, 3})
        ASSERT_NO_FATAL_FAILURE(compare(operands_of(family, count, offset), std::string(name_of(family))));
}

INSTANTIATE_TEST_SUITE_P(Every, SimdOpTest, ::testing::ValuesIn(simd_ops()),
                         [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace tw::test
