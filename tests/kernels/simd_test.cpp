// The SIMD versions give the reference's bytes: every op, on every target that the machine has, over the edges of
// registers, groups and blocks, misaligned, on every family of input. The whole matrix on three targets, small sizes on
// the rest.
#include <gtest/gtest.h>

#include "kernels/base/target.hpp"
#include "tests/kernels/ops.hpp"

namespace tw::test {
namespace {

std::vector<std::string> targets_for(std::uint64_t count) {
  constexpr std::uint64_t kSmall = 1023;
  constexpr std::size_t kWholeMatrix = 3;
  std::vector<std::string> targets = simd_targets();
  if (count > kSmall && targets.size() > kWholeMatrix) targets.resize(kWholeMatrix);
  return targets;
}

class SimdOpTest : public ::testing::TestWithParam<TestedOp> {
 protected:
  ~SimdOpTest() override { use_simd_target(""); }

  void compare(const Operands& operands, const std::string& what) {
    const Outcome expected = GetParam().run({.backend = Backend::reference}, operands);
    for (const std::string& target : targets_for(operands.count)) {
      use_simd_target(target);
      const std::string differs = difference(expected, GetParam().run({.backend = Backend::simd}, operands));
      ASSERT_EQ(differs, "") << target << ", " << what;
    }
  }
};

TEST_P(SimdOpTest, GivesTheReferencesBytes) {
  for_all_operands([this](const Operands& operands, const std::string& what) {
    if (!HasFatalFailure()) compare(operands, what);
  });
}

INSTANTIATE_TEST_SUITE_P(Every, SimdOpTest, ::testing::ValuesIn(ops_under_test()),
                         [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace tw::test
