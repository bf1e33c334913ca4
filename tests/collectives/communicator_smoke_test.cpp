// The whole way in one process: threads as ranks over loopback, one step of identity, exact mean everywhere.
#include <gtest/gtest.h>

#include <thread>

#include <tightwire/communicator.hpp>

namespace tw {
namespace {

TEST(Communicator, AveragesOverLoopback) {
  constexpr std::uint32_t kRanks = 3;
  auto transports = connect_threads(kRanks, {.transport = "loopback"});
  std::vector<std::vector<float>> gradients(kRanks, std::vector<float>(1000));
  {
    std::vector<std::jthread> threads;
    for (std::uint32_t rank = 0; rank < kRanks; ++rank)
      threads.emplace_back([&, rank] {
        Communicator communicator(std::move(transports[rank]), {});
        std::vector<Param> params{{"w", 0, 10, 100, DType::f32}};
        communicator.register_parameters(params, plan_buckets(params, 1 << 20));
        for (std::size_t i = 0; i < 1000; ++i) gradients[rank][i] = static_cast<float>(3 * i + rank);
        communicator.begin_step({1, 0.1, 1});
        const Piece piece{&params[0], 0, {gradients[rank].data(), DType::f32, 1000}};
        Work work = communicator.all_reduce({0, {&piece, 1}});
        EXPECT_TRUE(communicator.verdict(Deadline::in(30)).commit);
        work.wait(Deadline::in(30));
        EXPECT_TRUE(communicator.end_step(Deadline::in(30)).committed);
      });
  }
  for (std::uint32_t rank = 0; rank < kRanks; ++rank)
    for (std::size_t i = 0; i < 1000; ++i) EXPECT_EQ(gradients[rank][i], static_cast<float>(3 * i + 1));
}

}  // namespace
}  // namespace tw
