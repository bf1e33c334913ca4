// nccl: while a group waits for its peers to post their part, this rank goes on: it can be aborted, told a deadline and
// destroyed, and its messages in host memory pass. All deadlines of the transport are far away: whoever waits for one
// of them is ended by CTest.
#include <future>
#include <optional>
#include <thread>

#include "collectives/engine.hpp"
#include "tests/collectives/transport_contract.hpp"
#include "tests/collectives/transports/nccl_ranks.hpp"
#include "tests/support/thrown.hpp"

namespace tw::test {
namespace {

const ConnectOptions kPatient{.transport = "nccl:control=(loopback)", .deadline_seconds = 3600};

Deadline far_away() { return Deadline::in(3600); }

// A message to a rank in device memory and one from it.
struct Swap {
  Swap(NcclRank& self, std::uint32_t peer)
      : message(self.upload(pattern(100, self.rank()))), room(self.upload(canary(100))) {
    ops = {NcclRank::send(peer, *message), NcclRank::receive(peer, *room)};
  }

  std::unique_ptr<DeviceBytes> message, room;
  std::vector<Op> ops;
};

// The same on a communicator's thread.
class SwapOperation final : public Operation {
 public:
  SwapOperation(Transport& transport, Exec exec) : transport_(transport), exec_(exec) {
    exec_.stream = stream_.get();
    ops_[0] = {Op::Kind::send, 1, Tag{0}, message_.span(), Space::device};
    ops_[1] = {Op::Kind::receive, 1, Tag{0}, room_.span(), Space::device};
  }
  Progress advance() override {
    if (!request_) request_ = transport_.post(exec_, ops_);
    return request_->done() ? Progress::complete : Progress::waiting;
  }
  Wait waiting_for() const override { return {1, "its part"}; }

 private:
  Transport& transport_;
  Exec exec_;
  const cuda::Stream stream_;
  const DeviceBytes message_{100}, room_{100};
  std::array<Op, 2> ops_;
  std::optional<Request> request_;
};

using EngineBody = std::function<void(Engine&, const std::shared_ptr<Ticket>&)>;

// Rank 0 has a communicator's thread with a group for rank 1 that cannot start: rank 1 posts nothing until `body` has
// returned.
void while_starting(const EngineBody& body) {
  const auto meeting = ThreadBootstrap::meeting(2);
  std::promise<void> connected, over;
  on_ranks(2, [&](std::uint32_t rank) {
    ThreadBootstrap bootstrap(meeting, rank);
    TransportPtr transport = connect_over(bootstrap, kPatient);
    if (rank == 1) {
      connected.set_value();
      return over.get_future().wait();
    }
    connected.get_future().wait();
    const Exec place{.backend = Backend::cuda};
    {
      Engine engine(std::move(transport), place, {});
      const auto ticket = engine.submit(std::make_shared<SwapOperation>(engine.group().transport, engine.group().exec));
      MockNccl::wait_for_polls(0, 100);
      body(engine, ticket);
    }
    over.set_value();
  });
}

TEST_F(NcclTest, AnAbortEndsTheWaitForAStart) {
  while_starting([](Engine& engine, const std::shared_ptr<Ticket>& ticket) {
    const std::jthread another([&] { engine.fail(Failure(PeerError(0, "rank 0 aborted: enough"))); });
    const auto message = message_of<PeerError>([&] { engine.wait(ticket, far_away()); });
    EXPECT_EQ(message, "rank 0 aborted: enough");
    EXPECT_FALSE(MockNccl::alive(0));
  });
}

TEST_F(NcclTest, AWaitForAStartEndsAtItsOwnDeadline) {
  while_starting([](Engine& engine, const std::shared_ptr<Ticket>& ticket) {
    const auto message = message_of<PeerError>([&] { engine.wait(ticket, Deadline::in(0.01)); });
    EXPECT_EQ(message, "rank 0 waited for rank 1 until the deadline: its part");
  });
}

TEST_F(NcclTest, ACommunicatorMayGoWhileAGroupStarts) {
  while_starting([](Engine&, const std::shared_ptr<Ticket>&) {});
  EXPECT_GE(MockNccl::aborted(), 1u);
}

// As told_of_the_end of groups under way: who goes while a group starts says so.
TEST_F(NcclTest, ATransportMayGoWhileAGroupStarts) {
  run(
      2,
      [](NcclRank& self) {
        if (self.rank() == 1) {
          const auto message = message_of<PeerError>([&] {
            self.speaker().tell(0, kGo);
            self.speaker().hear(0, kReady);
          });
          EXPECT_EQ(message, "rank 0 gave up: it closed its transport with groups in device memory under way");
          return;
        }
        const Swap swap(self, 1);
        self.speaker().hear(1, kGo);
        const Request request = self.post(swap.ops);
        self.leave();
        EXPECT_FALSE(request.started());
        EXPECT_FALSE(request.done());
        EXPECT_NE(message_of<UsageError>([&] { request.join(self.exec); }).find("lost"), std::string::npos);
      },
      kPatient);
}

// Ranks 0 and 1 have a group with rank 2, which posts its part only when both have heard from each other, and said so.
TEST_F(NcclTest, MessagesInHostMemoryPassWhileAGroupStarts) {
  for (const char* transport : {"nccl:control=(loopback)", "nccl"}) {
    const auto body = [](NcclRank& self) {
      if (self.rank() == 2) {
        self.speaker().hear(0, kReady);
        self.speaker().hear(1, kReady);
        const Swap first(self, 0), second(self, 1);
        std::vector<Op> ops = first.ops;
        ops.insert(ops.end(), second.ops.begin(), second.ops.end());
        return self.speaker().finish(self.post(ops));
      }
      const Swap swap(self, 2);
      const Request group = self.post(swap.ops);
      const std::uint32_t other = 1 - self.rank();
      Bytes note = pattern(1000, self.rank()), room = canary(1000);
      const Request sent = self.speaker().send(other, kGo, note);
      self.speaker().finish(self.speaker().receive(other, kGo, room));
      EXPECT_EQ(room, pattern(1000, other));
      self.speaker().finish(sent);
      EXPECT_FALSE(group.started());
      self.speaker().tell(2, kReady);
      self.speaker().finish(group);
      EXPECT_EQ(self.download(*swap.room), pattern(100, 2));
    };
    run(3, body, {.transport = transport, .deadline_seconds = 3600});
  }
}

// However long it takes: a progress that waits for a start ends often, and a wake in between is not lost.
TEST_F(NcclTest, AWakeIsNotLostInASlowStart) {
  run(2, [](NcclRank& self) {
    if (self.rank() == 1) MockNccl::wait_for_polls(0, 100);
    const Swap swap(self, 1 - self.rank());
    self.transport().wake();
    const Request group = self.post(swap.ops);
    self.transport().progress(Deadline(Deadline::Clock::time_point::max()));
    self.speaker().finish(group);
  });
}

// Until a group has started nothing can be posted after it or joined to it; what is refused does no harm.
TEST_F(NcclTest, NothingOvertakesAGroupThatStarts) {
  run(2, [](NcclRank& self) {
    const std::uint32_t peer = 1 - self.rank();
    const Swap swap(self, peer);
    const cuda::DeviceBuffer<float> values(4);
    if (self.rank() == 1) self.speaker().hear(0, kReady);
    const Request group = self.post(swap.ops);
    if (self.rank() == 0) {
      EXPECT_FALSE(group.started());
      const auto refusal = [&](const auto& call) { return message_of<UsageError>(call); };
      EXPECT_NE(refusal([&] { self.post(swap.ops); }).find("still starting"), std::string::npos);
      EXPECT_NE(refusal([&] { self.transport().all_reduce_sum(self.exec, values.span()); }).find("still starting"),
                std::string::npos);
      EXPECT_NE(refusal([&] { group.join(self.exec); }).find("has not started"), std::string::npos);
      self.speaker().tell(1, kReady);
    }
    self.speaker().finish(group);
    EXPECT_TRUE(group.started());
    EXPECT_EQ(self.download(*swap.room), pattern(100, peer));
  });
}

// A group whose request is gone still starts, in a flight that nobody else gets.
TEST_F(NcclTest, AGroupStartsThoughItsRequestIsGone) {
  run(2, [](NcclRank& self) {
    const std::uint32_t peer = 1 - self.rank();
    const Swap swap(self, peer);
    if (self.rank() == 1) self.speaker().hear(0, kReady);
    self.post(swap.ops);
    if (self.rank() == 0) self.speaker().tell(1, kReady);
    const Swap next(self, peer);
    std::optional<Request> group;
    while (!group) {
      self.transport().progress(Deadline::in(0));
      if (error_of<UsageError>([&] { group = self.post(next.ops); }).empty()) break;
    }
    self.speaker().finish(*group);
    EXPECT_EQ(self.download(*swap.room), pattern(100, peer));
    EXPECT_EQ(self.download(*next.room), pattern(100, peer));
  });
}

}  // namespace
}  // namespace tw::test
