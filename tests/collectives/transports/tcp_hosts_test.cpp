// tcp between hosts: a rank whose link fails ends no connection and resets none; there is only silence.
#include <gtest/gtest.h>

#include <vector>

#include <tightwire/communicator.hpp>

#include "tests/support/lab.hpp"
#include "tests/support/processes.hpp"

namespace tw::test {
namespace {

constexpr std::uint32_t kRanks = 3, kVictim = 1;

std::string exchange(std::uint32_t rank, const Milestone& reached) {
  LaunchInfo launch;
  launch.rank = rank;
  launch.ranks = kRanks;
  launch.master_addr = "10.77.0.1";
  Communicator communicator(connect(launch, {.transport = "tcp", .interface = "e0"}), {});
  communicator.barrier(Deadline::in(30));
  std::vector<float> values(1u << 16);
  for (int round = 0;; ++round) {
    if (rank == kVictim && round == 3) reached();
    communicator.all_reduce_dense({values.data(), DType::f32, values.size()}, Communicator::Reduce::sum,
                                  Deadline::in(2));
  }
}

TEST(TcpHosts, ARankThatIsCutOffIsNamedByAll) {
  const Lab lab(kRanks);
  if (!lab.why_not().empty()) GTEST_SKIP() << lab.why_not();
  Processes processes(kRanks, [&](std::uint32_t rank, const Milestone& reached) {
    lab.move_to_host(rank);
    return exchange(rank, reached);
  });
  ASSERT_TRUE(processes.wait_for_milestone(kVictim)) << processes.outcome(kVictim);
  lab.cut_link(kVictim);
  for (const std::uint32_t rank : {0u, 2u}) {
    const std::string outcome = processes.outcome(rank);
    EXPECT_TRUE(outcome.starts_with("PeerError 1: ")) << "rank " << rank << ": " << outcome;
  }
  EXPECT_TRUE(processes.outcome(kVictim).starts_with("PeerError ")) << processes.outcome(kVictim);
}

}  // namespace
}  // namespace tw::test
