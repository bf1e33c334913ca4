#include "tests/collectives/device_contract.hpp"

#include <algorithm>

#include "collectives/transports/counting.hpp"
#include "kernels/reduce.hpp"

namespace tw::test {

void run_on_devices(std::uint32_t ranks, const std::function<void(DeviceRank&)>& body,
                    const std::vector<ConnectOptions>& options) {
  const auto meeting = ThreadBootstrap::meeting(ranks);
  on_ranks(ranks, [&](std::uint32_t rank) {
    const cuda::CurrentDevice current(device_of(rank));
    ThreadBootstrap bootstrap(meeting, rank);
    DeviceRank self(connect_over(bootstrap, options[std::min<std::size_t>(rank, options.size() - 1)]), device_of(rank));
    body(self);
  });
}

void exchange_all(DeviceRank& self, std::size_t bytes) {
  std::vector<std::unique_ptr<DeviceBytes>> messages, rooms;
  std::vector<Op> ops;
  for (std::uint32_t peer = 0; peer < self.ranks(); ++peer) {
    messages.push_back(self.upload(pattern(bytes, 100 * self.rank() + peer)));
    rooms.push_back(self.upload(Bytes(bytes, std::byte{0xa5})));
    ops.push_back(DeviceRank::receive(peer, *rooms.back()));
    ops.push_back(DeviceRank::send(peer, *messages.back()));
  }
  const Request group = self.post(ops);
  self.speaker().finish(group);
  for (std::uint32_t peer = 0; peer < self.ranks(); ++peer) {
    EXPECT_EQ(group.received_bytes(2 * peer), bytes);
    EXPECT_EQ(self.download(*rooms[peer]), pattern(bytes, 100 * peer + self.rank())) << "from rank " << peer;
  }
}

void PrintTo(const DeviceTransport& transport, std::ostream* out) { *out << transport.spec; }

namespace {

TEST_P(DeviceContract, GroupsReachEveryRank) {
  for (const std::uint32_t ranks : {1u, 2u, 3u, 4u})
    run(ranks, [](DeviceRank& self) {
      EXPECT_TRUE(self.transport().caps().device_memory);
      for (const std::size_t bytes : {0u, 1u, 31u, 4096u, 100'003u, 1'000'001u}) exchange_all(self, bytes);
    });
}

TEST_P(DeviceContract, WorkOnAnyStreamFindsWhatIsDone) {
  run(2, [](DeviceRank& self) {
    constexpr std::size_t kCount = 1000;
    const std::vector<float> own(kCount, 1.0f + static_cast<float>(self.rank()));
    const std::uint32_t device = self.exec.device;
    const cuda::DeviceBuffer<float> mine(kCount, device), theirs(kCount, device), sum(kCount, device);
    for (const auto* buffer : {&mine, &sum}) cuda::copy<float>(self.exec, own, buffer->span());
    const auto bytes = [](const cuda::DeviceBuffer<float>& floats) { return std::as_writable_bytes(floats.span()); };
    const std::uint32_t peer = 1 - self.rank();
    self.speaker().finish(self.post({{Op::Kind::send, peer, Tag{0}, bytes(mine), Space::device},
                                     {Op::Kind::receive, peer, Tag{0}, bytes(theirs), Space::device}}));
    const cuda::Stream other(self.exec.device);
    Exec elsewhere = self.exec;
    elsewhere.stream = other.get();
    cuda::synchronize(self.exec);  // `sum` was uploaded there
    accumulate(elsewhere, theirs.span(), sum.span());
    std::vector<float> result(kCount);
    cuda::copy<float>(elsewhere, sum.span(), result);
    cuda::synchronize(elsewhere);
    EXPECT_EQ(result, std::vector<float>(kCount, 3.0f));
  });
}

TEST_P(DeviceContract, AWrapperThatCountsPassesGroupsOn) {
  const std::string spec = std::string("counting:inner=(") + GetParam().spec + ")";
  const auto body = [](DeviceRank& self) {
    const auto counts = counts_of(self.transport());
    exchange_all(self, 1000);
    EXPECT_EQ(counts->sent_to(1 - self.rank()).bytes, 1000u);
  };
  run_on_devices(2, body, {{.transport = spec}});
}

}  // namespace
}  // namespace tw::test
