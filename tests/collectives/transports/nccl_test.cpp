// nccl: groups in device memory, sums, and what is refused. Its messages in host memory are under the contract of
// transports.
#include "collectives/transports/counting.hpp"
#include "collectives/transports/nccl/transport.hpp"

#include <tightwire/communicator.hpp>

#include "kernels/reduce.hpp"
#include "tests/collectives/transport_contract.hpp"
#include "tests/collectives/transports/nccl_ranks.hpp"
#include "tests/support/thrown.hpp"

namespace tw::test {
namespace {

INSTANTIATE_TEST_SUITE_P(Nccl, TransportContract,
                         testing::Values("nccl:control=(loopback)", "nccl",
                                         "counting:inner=(nccl:control=(loopback))"));
INSTANTIATE_TEST_SUITE_P(Nccl, OrderlyAbort, testing::Values("nccl:control=(loopback)", "nccl"));
INSTANTIATE_TEST_SUITE_P(Nccl, DeviceContract,
                         testing::Values(DeviceTransport{"nccl:control=(loopback)", MockNccl::reset,
                                                         NcclTest::settled}));

TEST_F(NcclTest, TheControlMayBeAnyTransport) {
  run(3, [](NcclRank& self) { exchange_all(self, 1000); }, {.transport = "nccl"});
  run(2, [](NcclRank& self) { exchange_all(self, 1000); },
      {.transport = "nccl:control=(rate_limited:inner=(loopback))"});
  run(1, [](NcclRank& self) { exchange_all(self, 1000); }, {.transport = "nccl:device=0"});
  EXPECT_EQ(MockNccl::aborted(), 0u);
}

TEST_F(NcclTest, MessagesOfAPairMatchInPostingOrderWhateverTheirTags) {
  run(2, [](NcclRank& self) {
    std::vector<std::unique_ptr<DeviceBytes>> buffers;
    std::vector<Op> ops;
    for (std::uint32_t i = 0; i < 5; ++i) {
      buffers.push_back(self.upload(self.rank() == 0 ? pattern(100 + i, i) : canary(100 + i)));
      ops.push_back(self.rank() == 0 ? NcclRank::send(1, *buffers[i], i) : NcclRank::receive(0, *buffers[i], 77));
    }
    const std::span<const Op> all(ops);
    const Request first = started(self, self.transport().post(self.exec, all.first(2)));
    const Request second = self.transport().post(self.exec, all.subspan(2));
    self.speaker().finish(first);
    self.speaker().finish(second);
    for (std::uint32_t i = 0; i < 5; ++i) EXPECT_EQ(self.download(*buffers[i]), pattern(100 + i, i));
  });
}

TEST_F(NcclTest, LaterWorkOfTheStreamOrOfOneThatJoinsFindsWhatCame) {
  run(2, [](NcclRank& self) {
    const std::vector<float> own(1000, 1.0f + static_cast<float>(self.rank()));
    const auto* bytes = reinterpret_cast<const std::byte*>(own.data());
    const Bytes message(bytes, bytes + own.size() * sizeof(float));
    const auto mine = self.upload(message), theirs = self.upload(canary(message.size())), sum = self.upload(message);
    const Request group =
        started(self, self.post({NcclRank::send(1 - self.rank(), *mine), NcclRank::receive(1 - self.rank(), *theirs)}));
    const cuda::Stream other(self.exec.device);
    Exec elsewhere = self.exec;
    elsewhere.stream = other.get();
    cuda::synchronize(self.exec);  // `sum` was uploaded on the other stream
    group.join(self.exec);
    group.join(elsewhere);
    accumulate(elsewhere, {reinterpret_cast<const float*>(theirs->span().data()), own.size()},
               {reinterpret_cast<float*>(sum->span().data()), own.size()});
    cuda::synchronize(elsewhere);
    const Bytes result = self.download(*sum);
    for (std::size_t i = 0; i < own.size(); ++i) {
      float value = 0;
      std::memcpy(&value, result.data() + 4 * i, sizeof value);
      ASSERT_EQ(value, 3.0f);
    }
    self.speaker().finish(group);
  });
}

TEST_F(NcclTest, SumsAreEqualEverywhere) {
  for (const std::uint32_t ranks : {1u, 2u, 3u, 4u})
    run(ranks, [](NcclRank& self) {
      for (const std::size_t count : {0u, 1u, 1000u, 40'001u}) {
        std::vector<float> values(count), sums(count);
        for (std::size_t i = 0; i < count; ++i)
          values[i] = static_cast<float>(self.rank() + 1) * static_cast<float>(i % 100);
        const cuda::DeviceBuffer<float> device(count);
        if (count > 0) cuda::copy<float>(self.exec, values, device.span());
        self.speaker().finish(self.transport().all_reduce_sum(self.exec, device.span()));
        if (count > 0) cuda::copy<float>(self.exec, device.span(), sums);
        cuda::synchronize(self.exec);
        const auto factor = static_cast<float>(self.ranks() * (self.ranks() + 1) / 2);
        for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(sums[i], factor * static_cast<float>(i % 100));
        exchange_all(self, count);
      }
    });
}

TEST_F(NcclTest, WhatIsRefusedDoesNoHarm) {
  run(2, [](NcclRank& self) {
    const auto device = self.upload(pattern(8, 1));
    Bytes host(8);
    const std::uint32_t peer = 1 - self.rank();
    const Op in_host_memory{Op::Kind::receive, peer, Tag{1}, host};
    const auto refusal = [&](const std::vector<Op>& ops) { return message_of<UsageError>([&] { self.post(ops); }); };
    EXPECT_EQ(refusal({NcclRank::send(peer, *device), in_host_memory}),
              "a group of 1 messages in device memory and 1 in host memory; post them apart");
    EXPECT_EQ(refusal({NcclRank::send(2, *device)}), "a message for rank 2; ranks are 0 to 1");
    const std::string own = refusal({NcclRank::send(self.rank(), *device)});
    EXPECT_NE(own.find("it must hold as many receives, of the same sizes"), std::string::npos) << own;
    Exec elsewhere = self.exec;
    elsewhere.device = 3;
    const Op op = NcclRank::send(peer, *device);
    EXPECT_EQ(message_of<UsageError>([&] {
                self.transport().post(elsewhere, {&op, 1});
              }),
              "work on device 3, but transport 'nccl' was made for device " + std::to_string(self.exec.device) +
                  " (nccl:device=3 makes it for the other)");
    exchange_all(self, 10);
    EXPECT_NE(message_of<UsageError>([&] {
                const Request request = self.transport().post(self.exec, {&in_host_memory, 1});
                request.join(self.exec);
              }).find("wait for done()"),
              std::string::npos);
  });
}

TEST_F(NcclTest, EventsArePooled) {
  run(2, [](NcclRank& self) {
    const auto& transport = dynamic_cast<nccl::NcclTransport&>(self.transport());
    for (int i = 0; i < 50; ++i) exchange_all(self, 100);
    EXPECT_EQ(transport.events(), 1u);
    const auto message = self.upload(pattern(100, 1)), room = self.upload(canary(100));
    const std::uint32_t peer = 1 - self.rank();
    for (int i = 0; i < 3; ++i) {
      std::vector<Request> requests;
      for (int each = 0; each < 4; ++each)
        requests.push_back(started(self, self.post({NcclRank::send(peer, *message), NcclRank::receive(peer, *room)})));
      self.speaker().finish(requests);
    }
    EXPECT_EQ(transport.events(), 4u);
    const Request kept = self.post({NcclRank::receive(peer, *room), NcclRank::send(peer, *message)});
    self.speaker().finish(kept);
    exchange_all(self, 7);
    EXPECT_EQ(kept.received_bytes(0), 100u);
  });
}

TEST_F(NcclTest, SaysWhatItCanAndWrappersSayWhatIsLeft) {
  const auto transport = connect_threads(1, {.transport = "nccl:control=(loopback)"});
  const Caps caps = transport[0]->caps();
  EXPECT_TRUE(caps.stream_ordered && caps.device_memory && caps.device_sums);
  EXPECT_TRUE(caps.tags && caps.exact_sizes);
  EXPECT_FALSE(caps.device_tags || caps.device_sizes);
  EXPECT_TRUE(connect_threads(1, {.transport = "counting:inner=(nccl)"})[0]->caps().device_memory);
  for (const char* spec : {"faulty:inner=(nccl)", "rate_limited:inner=(nccl)", "loopback", "tcp"}) {
    const auto other = connect_threads(1, {.transport = spec});
    EXPECT_FALSE(other[0]->caps().device_memory || other[0]->caps().device_sums) << spec;
    EXPECT_NE(message_of<UsageError>([&] { other[0]->all_reduce_sum({}, {}); }).find("has no all_reduce_sum"),
              std::string::npos)
        << spec;
  }
}

TEST_F(NcclTest, AWrapperThatCountsPassesSumsOn) {
  run(2,
      [](NcclRank& self) {
        const cuda::DeviceBuffer<float> none(0);
        self.speaker().finish(self.transport().all_reduce_sum(self.exec, none.span()));
      },
      {.transport = "counting:inner=(nccl:control=(loopback))"});
}

TEST_F(NcclTest, CarriesACommunicatorsHostMessages) {
  const std::vector<Param> params{{"a", 0, 1, 1000, DType::f32}};
  const auto plan = plan_buckets(params, 4096);
  on_ranks(3, [&, transports = std::make_shared<std::vector<TransportPtr>>(connect_threads(3, kOptions))](auto rank) {
    Communicator communicator(std::move((*transports)[rank]), {.codec = "int8+ef"});
    communicator.register_parameters(params, plan);
    std::vector<float> gradient(1000, static_cast<float>(rank));
    communicator.begin_step({0, 0.1, 1});
    const Piece piece{&params[0], 0, {gradient.data(), DType::f32, gradient.size()}};
    const Work work = communicator.all_reduce({0, {&piece, 1}});
    communicator.end_step(Deadline::in(30));
    EXPECT_EQ(gradient, std::vector<float>(1000, 1.0f));
  });
}

TEST_F(NcclTest, KnowsItsArguments) {
  const std::string message = message_of<UsageError>([] { connect_threads(1, {.transport = "nccl:speed=3"}); });
  EXPECT_NE(message.find("device"), std::string::npos) << message;
  EXPECT_NE(message.find("control=(tcp)"), std::string::npos) << message;
}

}  // namespace
}  // namespace tw::test
