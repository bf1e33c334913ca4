// nccl: what happens between the posting of a group and its end, with a stream that takes its time.
#include <atomic>
#include <functional>
#include <future>
#include <latch>
#include <optional>
#include <thread>

#include "tests/collectives/transport_contract.hpp"
#include "tests/collectives/transports/nccl_ranks.hpp"
#include "tests/support/held_events.hpp"
#include "tests/support/thrown.hpp"

namespace tw::test {
namespace {

struct Exchange {
  explicit Exchange(NcclRank& self)
      : message(self.upload(pattern(100, self.rank()))),
        room(self.upload(canary(100))),
        request(started(
            self, self.post({NcclRank::send(1 - self.rank(), *message), NcclRank::receive(1 - self.rank(), *room)}))) {}

  std::unique_ptr<DeviceBytes> message, room;
  Request request;
};

using HeldBody = std::function<void(NcclRank&, HeldEvents&, const Exchange&)>;

// Two ranks with a group under way between them, on both sides, that will not end before its events are released.
void while_held(const HeldBody& body, const std::string& transport = "nccl:control=(loopback)") {
  std::latch posted(2);
  const auto on_rank = [&](NcclRank& self) {
    HeldEvents held;
    const Exchange exchange(self);
    posted.arrive_and_wait();
    body(self, held, exchange);
  };
  NcclTest::run(2, on_rank, {.transport = transport});
}

TEST_F(NcclTest, AGroupIsDoneWhenItsEventIs) {
  while_held([](NcclRank& self, HeldEvents& held, const Exchange& exchange) {
    EXPECT_FALSE(exchange.request.done());
    self.transport().progress(Deadline::in(0));
    EXPECT_FALSE(exchange.request.done());
    held.release();
    cuda::synchronize(self.exec);
    EXPECT_TRUE(exchange.request.done());
    EXPECT_EQ(self.download(*exchange.room), pattern(100, 1 - self.rank()));
  });
  EXPECT_EQ(MockNccl::aborted(), 0u);
}

TEST_F(NcclTest, TheEndOfAGroupEndsTheSleep) {
  run(2, [](NcclRank& self) {
    for (int i = 0; i < 3; ++i) {
      HeldEvents held;
      const Exchange exchange(self);
      const std::jthread gpu([&] {
        held.wait_for_callbacks(1);  // comes only if a sleeper asked to be woken
        held.release();
      });
      self.speaker().finish(exchange.request);
      EXPECT_TRUE(exchange.request.done());
    }
  });
}

TEST_F(NcclTest, ASleeperAsksOnceForEachStream) {
  run(2, [](NcclRank& self) {
    HeldEvents held;
    const cuda::Stream second(self.exec.device);
    void* const first = self.exec.stream;
    const Exchange one(self), other(self);
    self.exec.stream = second.get();
    const Exchange elsewhere(self);
    self.exec.stream = first;
    for (int i = 0; i < 3; ++i) {
      self.transport().wake();
      self.transport().progress(Deadline::in(60));
    }
    EXPECT_EQ(held.callbacks(), 2u);
    held.release();
    self.speaker().finish(one.request);
    self.speaker().finish(other.request);
    self.speaker().finish(elsewhere.request);
  });
}

// A group with some ranks, for which this rank sleeps.
void exchange_slowly(NcclRank& self, const std::vector<std::uint32_t>& peers) {
  HeldEvents held;
  const auto message = self.upload(pattern(100, self.rank())), room = self.upload(canary(100));
  std::vector<Op> ops;
  for (const std::uint32_t peer : peers) {
    ops.push_back(NcclRank::send(peer, *message));
    ops.push_back(NcclRank::receive(peer, *room));
  }
  const Request request = started(self, self.post(ops));
  const std::jthread gpu([&] {
    held.wait_for_callbacks(1);
    held.release();
  });
  self.speaker().finish(request);
}

void expect_peer_error(NcclRank& self) { EXPECT_THROW(self.speaker().run_until_failure(), PeerError); }

// Rank 0 has a group under way with rank 1, which ends as `ending` says. What rank 0 is told of it.
std::string told_of_the_end(const std::string& transport, const std::function<void(NcclRank&)>& ending) {
  std::string message;
  const auto body = [&](NcclRank& self, HeldEvents& held, const Exchange& exchange) {
    if (self.rank() == 1) return ending(self);
    message = message_of<PeerError>([&] { self.speaker().run_until_failure(); });
    expect_same_error_again(self.transport(), message);
    EXPECT_EQ(message_of<PeerError>([&] { Exchange{self}; }), message);
    held.release();
    EXPECT_FALSE(exchange.request.done()) << "what was lost counts as received";
    EXPECT_NE(message_of<UsageError>([&] { exchange.request.join(self.exec); }).find("lost"), std::string::npos);
  };
  while_held(body, transport);
  EXPECT_EQ(MockNccl::aborted(), 2u);
  return message;
}

TEST_F(NcclTest, ALostRankIsNamedThoughNothingElseIsExpectedOfIt) {
  const auto die = [](NcclRank& self) {
    Bytes none;
    EXPECT_THROW(self.speaker().send(0, kReady, none), SystemError);  // killed before its second message
  };
  EXPECT_EQ(told_of_the_end("nccl:control=(faulty:rank=1,kill=2,inner=(loopback))", die),
            "rank 1 closed its transport while rank 0 was waiting for it");
}

TEST_F(NcclTest, ALostRankIsNobodysBusinessOnceNothingIsUnderWay) {
  std::latch idle(2), lost(1), over(2);
  const auto body = [&](NcclRank& self) {
    const bool victim = self.rank() == 2;
    exchange_slowly(self, victim ? std::vector{0u, 1u} : std::vector{2u, 1 - self.rank()});
    if (victim) {
      idle.wait();
      Bytes none;
      EXPECT_THROW(self.speaker().send(0, kReady, none), SystemError);  // killed before its third message
      return lost.count_down();
    }
    self.transport().progress(Deadline::in(0));
    idle.count_down();
    lost.wait();
    exchange_slowly(self, {1 - self.rank()});  // with the pooled flight of before
    over.arrive_and_wait();                    // with a rank lost nobody can say goodbye
  };
  run(3, body, {.transport = "nccl:control=(faulty:rank=2,kill=3,inner=(loopback))"});
}

TEST_F(NcclTest, ARankThatClosesWithGroupsUnderWaySaysSo) {
  EXPECT_EQ(told_of_the_end("nccl:control=(loopback)", [](NcclRank& self) { self.leave(); }),
            "rank 1 gave up: it closed its transport with groups in device memory under way");
}

TEST_F(NcclTest, AnErrorInTheBackgroundEndsTheSleepAndIsToldToTheOthers) {
  std::promise<void> told;
  while_held([&](NcclRank& self, HeldEvents& held, const Exchange&) {
    if (self.rank() == 0) {
      const std::string message = message_of<PeerError>([&] { self.speaker().run_until_failure(); });
      EXPECT_EQ(message.find("rank 1 gave up: NCCL: a communicator's work: unhandled system error"), 0u) << message;
      return told.set_value();
    }
    const std::jthread network([&] {
      held.wait_for_callbacks(1);
      MockNccl::strike(1, ncclSystemError);
    });
    EXPECT_THROW(self.speaker().run_until_failure(), NcclError);
    told.get_future().wait();  // nobody calls abort()
  });
}

TEST_F(NcclTest, WhatIsDoneAfterAnErrorDoesNotCount) {
  while_held([](NcclRank& self, HeldEvents& held, const Exchange& exchange) {
    if (self.rank() == 1) return expect_peer_error(self);
    MockNccl::strike(0, ncclInternalError);
    held.release();
    cuda::synchronize(self.exec);
    EXPECT_THROW(exchange.request.done(), NcclError);
    const std::string message = message_of<NcclError>([&] { self.transport().progress(Deadline::in(0)); });
    expect_same_error_again(self.transport(), message);
    EXPECT_FALSE(exchange.request.done());
  });
}

// Whoever asks the request sees it first, without a call of the transport.
TEST_F(NcclTest, ARequestNamesTheRankThatWasLost) {
  std::latch posted(2);
  const auto body = [&](NcclRank& self) {
    HeldEvents held;
    const Exchange exchange(self);
    posted.arrive_and_wait();
    if (self.rank() == 1) return self.leave();
    MockNccl::strike(0, ncclRemoteError);
    held.release();
    cuda::synchronize(self.exec);
    const std::string message = message_of<PeerError>([&] { exchange.request.done(); });
    EXPECT_EQ(message.find("rank 1 "), 0u) << message;
    expect_same_error_again(self.transport(), message);
    EXPECT_FALSE(MockNccl::alive(0));
  };
  run(2, body);
}

TEST_F(NcclTest, AnErrorOfCudaEndsTheTransport) {
  while_held([](NcclRank& self, HeldEvents& held, const Exchange&) {
    if (self.rank() == 1) return expect_peer_error(self);
    held.answer(cudaErrorLaunchFailure);
    const std::string message = message_of<CudaError>([&] { self.transport().progress(Deadline::in(0)); });
    EXPECT_NE(message.find("cudaErrorLaunchFailure"), std::string::npos) << message;
    expect_same_error_again(self.transport(), message);
    EXPECT_FALSE(MockNccl::alive(0));
  });
}

TEST_F(NcclTest, EmptyMessagesAreDoneAtOnce) {
  run(2, [](NcclRank& self) {
    const DeviceBytes none(0);
    const Request group = self.post({NcclRank::send(1 - self.rank(), none), NcclRank::receive(1 - self.rank(), none)});
    EXPECT_TRUE(group.done());
    EXPECT_EQ(group.received_bytes(1), 0u);
    if (self.rank() == 0) return;
    EXPECT_TRUE(self.post({NcclRank::receive(0, none)}).done());
  });
}

// And nothing can be asked of it again.
enum class Again : std::uint8_t { group, sum };

void after_a_rank_left(Again again) {
  for (const char* transport : {"nccl:control=(loopback)", "nccl"}) {
    std::atomic<bool> gone = false;
    const auto body = [&](NcclRank& self) {
      std::optional<HeldEvents> held;
      if (self.rank() == 0) held.emplace();
      const Exchange exchange(self);
      if (self.rank() == 1) {
        self.speaker().finish(exchange.request);
        self.leave();
        gone = true;
        return;
      }
      while (!gone) self.transport().progress(Deadline::in(0.01));
      for (int i = 0; i < 3; ++i) self.transport().progress(Deadline::in(0.01));
      held->release();
      self.speaker().finish(exchange.request);
      EXPECT_EQ(self.download(*exchange.room), pattern(100, 1));
      const cuda::DeviceBuffer<float> values(4);
      const std::string told = error_of<PeerError>([&] {
        if (again == Again::sum) self.transport().all_reduce_sum(self.exec, values.span());
        if (again == Again::group) Exchange{self};
      });
      EXPECT_NE(told.find("rank 1 closed its transport"), std::string::npos) << told;
    };
    NcclTest::run(2, body, {.transport = transport});
  }
}

TEST_F(NcclTest, ARankMayLeaveWhoseGroupsAreDone) { after_a_rank_left(Again::group); }
TEST_F(NcclTest, SumsWithARankThatLeftAreRefused) { after_a_rank_left(Again::sum); }

TEST_F(NcclTest, ARequestMayOutliveItsTransport) {
  run(1, [](NcclRank& self) {
    HeldEvents held;
    const auto message = self.upload(pattern(100, 1)), room = self.upload(canary(100));
    const Request request = started(self, self.post({NcclRank::send(0, *message), NcclRank::receive(0, *room)}));
    self.leave();
    held.release();
    EXPECT_FALSE(request.done());
  });
  EXPECT_EQ(MockNccl::aborted(), 1u);
}

}  // namespace
}  // namespace tw::test
