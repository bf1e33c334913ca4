// ucx with messages in memory of devices, on a stand-in for a UCX that was built with CUDA: the contract of transports
// with such messages, and what is chosen where.
#include "collectives/transports/ucx/ucx.hpp"
#include "tests/collectives/device_contract.hpp"
#include "tests/collectives/transport_contract.hpp"
#include "tests/support/thrown.hpp"
#include "tests/support/ucx_cuda.hpp"

namespace tw::test {

INSTANTIATE_TEST_SUITE_P(UcxSharedMemory, TransportContract, testing::Values("ucx:device=direct"));
INSTANTIATE_TEST_SUITE_P(UcxNetwork, TransportContract, testing::Values("ucx:hosts=apart,device=direct"));
INSTANTIATE_TEST_SUITE_P(Ucx, OrderlyAbort, testing::Values("ucx:device=direct", "ucx:hosts=apart,device=direct"));

namespace {

const ConnectOptions kDirect{.transport = "ucx:device=direct"}, kStaged{.transport = "ucx:device=staged"};

void begin() { UcxCuda::reset(true); }
void settled() { EXPECT_EQ(UcxCuda::violations(), std::vector<std::string>()); }

INSTANTIATE_TEST_SUITE_P(Ucx, DeviceContract,
                         testing::Values(DeviceTransport{"ucx:device=direct", begin, settled},
                                         DeviceTransport{"ucx:hosts=apart,device=direct", begin, settled}));

class UcxDevice : public testing::Test {
 protected:
  void SetUp() override { begin(); }
  void TearDown() override { settled(); }
};

TEST_F(UcxDevice, TakesDeviceMemoryWhereUcxReportsIt) {
  for (const char* spec : {"ucx", "ucx:device=auto", "ucx:device=direct", "ucx:hosts=apart"}) {
    const Caps caps = connect_threads(2, {.transport = spec})[0]->caps();
    EXPECT_TRUE(caps.device_memory && caps.device_tags && caps.device_sizes) << spec;
    EXPECT_FALSE(caps.stream_ordered || caps.device_sums) << spec;
  }
  for (const char* spec : {"ucx:device=staged", "ucx:hosts=apart,device=staged", "rate_limited:inner=(ucx)"})
    EXPECT_FALSE(connect_threads(2, {.transport = spec})[0]->caps().device_memory) << spec;
  EXPECT_EQ(ucx_device_memory(), "direct (UCX reports CUDA memory)");
}

TEST_F(UcxDevice, StagesWhereUcxReportsNone) {
  UcxCuda::reset(false);
  for (const char* spec : {"ucx", "ucx:hosts=apart"})
    EXPECT_FALSE(connect_threads(2, {.transport = spec})[0]->caps().device_memory) << spec;
  EXPECT_EQ(ucx_device_memory(), "staged through pinned memory (UCX reports no CUDA memory)");
  const std::string refusal = message_of<UsageError>([] { connect_threads(2, kDirect); });
  for (const char* word : {"reports no CUDA memory", "ucx_info -d", "UCX_TLS", "device=auto"})
    EXPECT_NE(refusal.find(word), std::string::npos) << refusal;
}

TEST_F(UcxDevice, RefusesDeviceMemoryWhereItIsStagedAndGoesOn) {
  run_on_devices(2,
                 [](DeviceRank& self) {
                   const auto message = self.upload(pattern(8, 1));
                   const std::uint32_t peer = 1 - self.rank();
                   EXPECT_NE(
                       message_of<UsageError>([&] { self.post({DeviceRank::send(peer, *message)}); }).find("Caps"),
                       std::string::npos);
                   Bytes sent = pattern(8, self.rank()), room(8);
                   const Request receive = self.speaker().receive(peer, 1, room);
                   self.speaker().finish(self.speaker().send(peer, 1, sent));
                   self.speaker().finish(receive);
                   EXPECT_EQ(room, pattern(8, peer));
                 },
                 {kStaged});
}

// What is large is handed to UCX where it lies, and UCX puts it where it is to be.
TEST_F(UcxDevice, LargeMessagesGoFromDeviceToDevice) {
  run_on_devices(2, [](DeviceRank& self) { exchange_all(self, 1'000'000); }, {kDirect});
  EXPECT_EQ(UcxCuda::sent(), 2u);
  EXPECT_EQ(UcxCuda::fetched(), 2u);
}

// Rank 0 on a device, rank 1 on the host, by the same messages.
TEST_F(UcxDevice, MeetsRanksThatStage) {
  for (const char* hosts : {"auto", "apart"}) {
    const std::string spec = std::string("ucx:hosts=") + hosts + ",device=";
    const auto body = [](DeviceRank& self) {
      EXPECT_EQ(self.transport().caps().device_memory, self.rank() == 0);
      for (const std::size_t bytes : {0u, 1u, 9000u, 70'001u, 1'000'001u}) {
        Bytes message = pattern(bytes, self.rank()), room(bytes + 7);
        const Request receive = self.speaker().receive(1 - self.rank(), bytes, room);
        self.speaker().finish(self.speaker().send(1 - self.rank(), bytes, message));
        self.speaker().finish(receive);
        EXPECT_EQ(receive.received_bytes(0), bytes);
        room.resize(bytes);
        EXPECT_EQ(room, pattern(bytes, 1 - self.rank()));
      }
    };
    run_on_devices(2, body, {{.transport = spec + "direct"}, {.transport = spec + "staged"}});
  }
}

// In one group, to itself and to another: the places of a message's ends are their own affair.
TEST_F(UcxDevice, OpsOfAGroupMayLieInMemoryOfBothKinds) {
  run_on_devices(2,
                 [](DeviceRank& self) {
                   for (const std::uint32_t peer : {0u, 1u})
                     for (const std::size_t bytes : {100u, 300'000u}) {
                       Bytes host_message = pattern(bytes, 10 + self.rank()), host_room(bytes);
                       const auto device_message = self.upload(pattern(bytes, 20 + self.rank()));
                       const auto device_room = self.upload(canary(bytes));
                       const std::uint32_t from = self.rank() == peer ? peer : 1 - self.rank();
                       const std::uint32_t to = from;
                       self.speaker().finish(self.post({{Op::Kind::send, to, Tag{1}, host_message},
                                                        DeviceRank::send(to, *device_message, 2),
                                                        DeviceRank::receive(from, *device_room, 1),
                                                        {Op::Kind::receive, from, Tag{2}, host_room}}));
                       EXPECT_EQ(self.download(*device_room), pattern(bytes, 10 + from));
                       EXPECT_EQ(host_room, pattern(bytes, 20 + from));
                     }
                 },
                 {kDirect});
}

TEST_F(UcxDevice, NeverWritesACancelledRoom) {
  run_on_devices(2,
                 [](DeviceRank& self) {
                   for (const std::size_t bytes : {100u, 1'000'000u}) {
                     const std::uint32_t peer = 1 - self.rank();
                     const auto message = self.upload(pattern(bytes, 3));
                     if (self.rank() == 0) {
                       self.speaker().hear(peer, kGo);
                       self.speaker().finish(self.post({DeviceRank::send(peer, *message, 1)}));
                       self.speaker().hear(peer, kGo);
                       continue;
                     }
                     const auto cancelled = self.upload(canary(bytes)), room = self.upload(canary(bytes));
                     { const Request dropped = self.post({DeviceRank::receive(peer, *cancelled, 1)}); }
                     self.speaker().tell(peer, kGo);
                     self.speaker().finish(self.post({DeviceRank::receive(peer, *room, 1)}));
                     EXPECT_EQ(self.download(*room), pattern(bytes, 3));
                     EXPECT_EQ(self.download(*cancelled), canary(bytes));
                     self.speaker().tell(peer, kGo);
                   }
                 },
                 {kDirect});
}

}  // namespace
}  // namespace tw::test
