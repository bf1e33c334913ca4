// How many kernels an exchange launches: as many for a chunk of many small tensors as for one of a large one.
#include <gtest/gtest.h>

#include "tests/support/exchange.hpp"
#include "tests/support/loaded_kernels.hpp"

namespace tw::test {
namespace {

/// In a step of two ranks, whose tensors make one chunk an owner.
std::size_t launches_of_a_step(const char* algorithm, const char* codec, std::uint32_t tensors) {
  constexpr std::uint64_t kCount = 480;
  GroupSpec spec{.staged_transport = {}, .devices = Devices::all};
  for (std::uint32_t id = 0; id < tensors; ++id)
    spec.params.push_back({"tensor " + std::to_string(id), id, 1, kCount / tensors, DType::f32});
  spec.options.algorithm = algorithm;
  spec.options.codec = codec;
  const std::size_t before = kernel_launches();
  with_group(spec, [](Member& member) {
    Tensors gradients = gradients_of(member.params(), Values::gaussian, 1, member.rank());
    EXPECT_TRUE(member.step(1, gradients).committed);
  });
  return kernel_launches() - before;
}

TEST(DeviceLaunches, AreSharedByTheTensorsOfAChunk) {
  for (const char* algorithm : {"two_shot", "ring", "all_gather_reduce"})
    for (const char* codec : {"identity", "identity+ef"}) {
      const std::size_t one = launches_of_a_step(algorithm, codec, 1);
      EXPECT_GT(one, 0u);
      EXPECT_EQ(launches_of_a_step(algorithm, codec, 30), one) << algorithm << " x " << codec;
    }
}

}  // namespace
}  // namespace tw::test
