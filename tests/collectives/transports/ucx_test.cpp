// The UCX transport under the contract: in shared memory, and over the network (here: loopback) as between hosts.
#include <ctime>

#include <tightwire/error.hpp>

#include "collectives/transports/ucx/settings.hpp"
#include "collectives/transports/ucx/ucx.hpp"
#include "tests/collectives/transport_contract.hpp"
#include "tests/support/thrown.hpp"

namespace tw::test {

INSTANTIATE_TEST_SUITE_P(UcxSharedMemory, TransportContract, testing::Values("ucx"));
INSTANTIATE_TEST_SUITE_P(UcxNetwork, TransportContract, testing::Values("ucx:hosts=apart"));
INSTANTIATE_TEST_SUITE_P(Ucx, OrderlyAbort, testing::Values("ucx", "ucx:hosts=apart"));

namespace {

// Ranks that part when each has what it waited for: some go while others still read their last messages.
TEST(Ucx, RanksLeaveWhenTheyLike) {
  constexpr std::uint32_t kRanks = 4;
  for (int round = 0; round < 5; ++round) {
    auto transports = connect_threads(kRanks, {.transport = "ucx:hosts=apart"});
    on_ranks(kRanks, [&](std::uint32_t rank) {
      Speaker speaker(*transports[rank]);
      Bytes message = pattern(400'000, rank);
      std::vector<Bytes> rooms(kRanks, Bytes(message.size()));
      std::vector<Request> requests;
      for (std::uint32_t peer = 0; peer < kRanks; ++peer) {
        requests.push_back(speaker.receive(peer, 1, rooms[peer]));
        requests.push_back(speaker.send(peer, 1, message));
      }
      speaker.finish(requests);
      requests.clear();
      transports[rank].reset();
      for (std::uint32_t peer = 0; peer < kRanks; ++peer) EXPECT_EQ(rooms[peer], pattern(message.size(), peer));
    });
  }
}

// What a rank would be told of another that it cannot reach is told at once where it is known.
TEST(Ucx, NamesWhatCannotBe) {
  EXPECT_NE(message_of<UsageError>([] { connect_threads(1, {.transport = "ucx:hosts=near"}); }).find("apart"),
            std::string::npos);
  const std::string message =
      message_of<SystemError>([] { connect_threads(2, {.transport = "ucx:hosts=apart", .interface = "nowhere0"}); });
  EXPECT_NE(message.find("nowhere0"), std::string::npos) << message;
}

TEST(Ucx, KeepsSharedMemoryOutOfTheNetworkPath) {
  const auto network = [](const char* tls) { return ucx::network_transports(tls, ucx::Memory::host); };
  EXPECT_EQ(network("all"), "^shm,self,cuda");
  EXPECT_EQ(network("^rc"), "^rc,shm,self,cuda");
  EXPECT_EQ(network("tcp,shm,self"), "tcp");
  EXPECT_EQ(network("cma,rc_x,\\posix,tcp"), "rc_x,tcp");
  EXPECT_EQ(network("sm"), "");
  EXPECT_EQ(network("cuda,tcp"), "tcp");
}

TEST(Ucx, LeavesWhatTakesMessagesToDevicesInTheNetworkPath) {
  const auto network = [](const char* tls) { return ucx::network_transports(tls, ucx::Memory::cuda); };
  EXPECT_EQ(network("all"), "^shm,self,cuda_ipc");
  EXPECT_EQ(network("^rc"), "^rc,shm,self,cuda_ipc");
  EXPECT_EQ(network("cuda,sm,tcp"), "cuda_copy,gdr_copy,tcp");
  EXPECT_EQ(network("tcp,cuda_copy,cuda_ipc"), "tcp,cuda_copy");
  EXPECT_EQ(network("sm,cuda"), "") << "copies of one's own reach nobody";
}

// This machine's UCX has no CUDA; or else this program has no device.
TEST(Ucx, StagesWhereUcxReportsNoCudaMemory) {
  for (const char* spec : {"ucx", "ucx:device=auto", "ucx:hosts=apart,device=staged"}) {
    const auto transports = connect_threads(2, {.transport = spec});
    EXPECT_FALSE(transports[0]->caps().device_memory) << spec;
  }
  EXPECT_TRUE(ucx_device_memory().starts_with("staged through pinned memory (")) << ucx_device_memory();
  const std::string refusal = message_of<UsageError>([] { connect_threads(2, {.transport = "ucx:device=direct"}); });
  EXPECT_NE(refusal.find("device=direct"), std::string::npos) << refusal;
  EXPECT_NE(refusal.find("device=auto"), std::string::npos) << refusal;
}

// CPU seconds of the calling thread.
double cpu_seconds() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// Nobody spins: a rank that waits a second sleeps, but for heartbeats.
TEST(Ucx, SleepsWhileItWaits) {
  for (const char* transport : {"ucx", "ucx:hosts=apart"}) {
    auto transports = connect_threads(2, {.transport = transport});
    on_ranks(2, [&](std::uint32_t rank) {
      const double before = cpu_seconds();
      const Deadline deadline = Deadline::in(1);
      while (!deadline.passed()) transports[rank]->progress(deadline);
      EXPECT_LT(cpu_seconds() - before, 0.05) << transport;
      EXPECT_FALSE(transports[rank]->silent_peer().has_value());
    });
  }
}

TEST(Ucx, SummaryNamesVersionAndTransports) {
  const std::string summary = ucx_summary();
  EXPECT_TRUE(summary.starts_with("UCX 1.")) << summary;
  EXPECT_NE(summary.find("tcp ("), std::string::npos) << summary;
}

}  // namespace
}  // namespace tw::test
