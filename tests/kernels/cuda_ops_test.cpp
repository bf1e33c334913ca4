// The CUDA versions give the reference's bytes: every op, over the edges of tiles and stretches, misaligned, on every
// family of input.
#include <gtest/gtest.h>

#include "kernels/base/arena.hpp"
#include "kernels/cuda/device_buffer.hpp"
#include "kernels/cuda/stream.hpp"
#include "tests/kernels/ops.hpp"

namespace tw::test {
namespace {

class CudaOpTest : public ::testing::TestWithParam<TestedOp> {};

TEST_P(CudaOpTest, GivesTheReferencesBytes) {
  const cuda::Stream stream;
  cuda::DeviceMemory memory;
  Arena arena(memory);
  const Exec exec{.backend = Backend::cuda, .arena = &arena, .stream = stream.get()};
  for_all_operands([&](const Operands& operands, const std::string& what) {
    if (HasFatalFailure()) return;
    const Outcome expected = GetParam().run({.backend = Backend::reference}, operands);
    ASSERT_EQ(difference(expected, GetParam().run(exec, operands)), "") << what;
  });
}

INSTANTIATE_TEST_SUITE_P(Every, CudaOpTest, ::testing::ValuesIn(ops_of(Backend::cuda)),
                         [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace tw::test
