// UCX between hosts: network namespaces of this machine with a link between them. Needs root; skipped elsewhere.
//
// Namespaces share memory, and UCX would use it: that it does not is seen on the link's own counters.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <string>

#include <tightwire/communicator.hpp>

#include "tests/support/lab.hpp"
#include "tests/support/processes.hpp"

namespace tw::test {
namespace {

constexpr std::uint32_t kRanks = 3;
constexpr std::uint64_t kCount = 1u << 21;  // 8 MiB a rank
constexpr double kDeadline = 2;

class UcxHosts : public testing::Test {
 protected:
  void SetUp() override {
    if (!lab_.why_not().empty()) GTEST_SKIP() << lab_.why_not();
  }
  const Lab lab_{kRanks};
};

Communicator join(std::uint32_t rank) {
  LaunchInfo launch;
  launch.rank = rank;
  launch.ranks = kRanks;
  launch.master_addr = "10.77.0.1";
  return {connect(launch, {.transport = "ucx", .interface = "e0"}), {}};
}

// Bytes that this host sent over its link.
std::uint64_t sent_over_link() {
  std::ifstream devices("/proc/self/net/dev");
  for (std::string line; std::getline(devices, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || line.find("e0") > colon) continue;
    std::istringstream fields(line.substr(colon + 1));
    std::uint64_t value = 0;
    for (int field = 0; field < 9; ++field) fields >> value;  // 8 of reception come first
    return value;
  }
  throw std::runtime_error("no interface e0");
}

// One step; `before_second` runs before the second.
std::string train(std::uint32_t rank, const std::function<void()>& before_second) {
  Communicator communicator = join(rank);
  std::vector<Param> params{{"a", 0, 1, kCount, DType::f32}};
  std::vector<float> values(kCount);
  communicator.register_parameters(params, plan_buckets(params, 4 * kCount));
  for (std::uint64_t step = 0; step < 2; ++step) {
    if (step == 1) before_second();
    values.assign(kCount, static_cast<float>(rank + step));
    communicator.begin_step({step, 0.1, 1});
    const Piece piece{&params[0], 0, {values.data(), DType::f32, kCount}};
    const Work work = communicator.all_reduce({0, {&piece, 1}});
    communicator.end_step(Deadline::in(step == 0 ? 30 : kDeadline));
    const float mean = 1.0f + static_cast<float>(step);  // of ranks 0, 1, 2
    if (values.front() != mean || values.back() != mean) return "wrong mean";
  }
  return "fine";
}

TEST_F(UcxHosts, TakesTheNetworkThoughMemoryCouldBeShared) {
  Processes processes(kRanks, [&](std::uint32_t rank, const Milestone&) {
    lab_.move_to_host(rank);
    const std::string outcome = train(rank, [] {});
    const std::uint64_t shares = 2 * (kRanks - 1) * 4 * kCount / kRanks;  // a step sends that much
    return sent_over_link() > 2 * shares ? outcome : "only " + std::to_string(sent_over_link()) + " bytes on the link";
  });
  for (std::uint32_t rank = 0; rank < kRanks; ++rank) EXPECT_EQ(processes.outcome(rank), "fine");
}

// Rank 1 is struck when all others are in the middle of an all-reduce with it.
void expect_named(Processes& processes) {
  for (const std::uint32_t rank : {0u, 2u}) {
    const std::string outcome = processes.outcome(rank);
    EXPECT_TRUE(outcome.starts_with("PeerError 1: ")) << "rank " << rank << ": " << outcome;
  }
}

TEST_F(UcxHosts, AKilledOrStoppedRankIsNamedByAll) {
  for (const int signal : {SIGKILL, SIGSTOP}) {
    Processes processes(kRanks, [&](std::uint32_t rank, const Milestone& reached) {
      lab_.move_to_host(rank);
      return train(rank, [&] {
        if (rank != 1) return;
        reached();
        for (;;) pause();
      });
    });
    ASSERT_TRUE(processes.wait_for_milestone(1)) << processes.outcome(1);
    processes.kill(1, signal);
    expect_named(processes);
  }
}

TEST_F(UcxHosts, ARankThatIsCutOffIsNamedByAll) {
  Processes processes(kRanks, [&](std::uint32_t rank, const Milestone& reached) {
    lab_.move_to_host(rank);
    return train(rank, [&] {
      if (rank != 1) return;
      reached();
      for (;;) pause();
    });
  });
  ASSERT_TRUE(processes.wait_for_milestone(1)) << processes.outcome(1);
  lab_.cut_link(1);
  expect_named(processes);
}

}  // namespace
}  // namespace tw::test
