// A trainer linked with -ffast-math flushes denormals to zero in all its threads; the library's bytes must not show it.
#include "kernels/base/float_mode.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <thread>
#include <vector>

#include <tightwire/communicator.hpp>

namespace tw {
namespace {

// Volatile: the compiler would add at compile time, in its own mode.
bool keeps_denormals() {
  volatile float small = std::bit_cast<float>(0x00000003u);
  volatile float sum = small + small;
  return std::bit_cast<std::uint32_t>(static_cast<float>(sum)) == 6;
}

TEST(FloatMode, IsPutBack) {
  ASSERT_TRUE(keeps_denormals());
  {
    const ScopedFloatMode flush(FloatMode::flush_denormals);
    EXPECT_FALSE(keeps_denormals());
    {
      const ScopedFloatMode ieee(FloatMode::ieee);
      EXPECT_TRUE(keeps_denormals());
    }
    EXPECT_FALSE(keeps_denormals());
  }
  EXPECT_TRUE(keeps_denormals());
}

TEST(FloatMode, OfTheTrainerDoesNotReachTheWire) {
  constexpr std::uint32_t kRanks = 2;
  auto transports = connect_threads(kRanks, {.transport = "loopback"});
  std::vector<std::vector<float>> gradients(kRanks, std::vector<float>(100, std::bit_cast<float>(0x00000123u)));
  {
    std::vector<std::jthread> threads;
    for (std::uint32_t rank = 0; rank < kRanks; ++rank)
      threads.emplace_back([&, rank] {
        const ScopedFloatMode flush(FloatMode::flush_denormals);
        Communicator communicator(std::move(transports[rank]), {});
        std::vector<Param> params{{"w", 0, 1, 100, DType::f32}};
        communicator.register_parameters(params, plan_buckets(params, 1 << 20));
        communicator.begin_step({1, 0.1, 1});
        const Piece piece{&params[0], 0, {gradients[rank].data(), DType::f32, 100}};
        Work work = communicator.all_reduce({0, {&piece, 1}});
        EXPECT_TRUE(communicator.verdict(Deadline::in(30)).commit);
        work.wait(Deadline::in(30));
        EXPECT_TRUE(communicator.end_step(Deadline::in(30)).committed);
      });
  }
  for (const auto& mean : gradients)
    for (const float value : mean) EXPECT_EQ(std::bit_cast<std::uint32_t>(value), 0x00000123u);
}

}  // namespace
}  // namespace tw
