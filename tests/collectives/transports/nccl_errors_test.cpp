// nccl: whatever goes wrong, every rank gets an error that names the culprit, none hangs, and nothing is left behind.
#include <gmock/gmock.h>

#include <condition_variable>
#include <mutex>

#include "tests/collectives/transport_contract.hpp"
#include "tests/collectives/transports/nccl_ranks.hpp"
#include "tests/support/thrown.hpp"

namespace tw::test {
namespace {

using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

// What connecting or `body` throws at each rank, with the error's type and the rank it names.
std::vector<std::string> outcomes(std::uint32_t ranks, const std::function<void(NcclRank&)>& body,
                                  double deadline = 30) {
  const auto meeting = ThreadBootstrap::meeting(ranks);
  std::vector<std::string> results(ranks);
  on_ranks(ranks, [&](std::uint32_t rank) {
    ThreadBootstrap bootstrap(meeting, rank);
    try {
      NcclRank self(connect_over(bootstrap, {.transport = "nccl:control=(loopback)", .deadline_seconds = deadline}));
      body(self);
      results[rank] = "fine";
    } catch (const PeerError& error) {
      results[rank] = "PeerError " + std::to_string(error.rank()) + ": " + error.what();
    } catch (const NcclError& error) {
      results[rank] = std::string("NcclError: ") + error.what();
    }
  });
  return results;
}

// An error ends the communicator at once: whoever waits for the stream must not wait for ever.
void expect_nothing_left(std::uint32_t rank) {
  EXPECT_FALSE(MockNccl::alive(rank));
  EXPECT_FALSE(MockNccl::group_is_open());
}

// Goes on until the transport fails, and says so to the others as a communicator does.
void until_failure(NcclRank& self, const std::function<void()>& work) {
  try {
    work();
    self.speaker().run_until_failure();
  } catch (const PeerError& error) {
    expect_nothing_left(self.rank());
    self.transport().abort(error.rank(), error.what());
    expect_same_error_again(self.transport(), error.what());
    throw;
  } catch (const NcclError& error) {
    expect_nothing_left(self.rank());
    self.transport().abort(self.rank(), error.what());
    expect_same_error_again(self.transport(), error.what());
    throw;
  }
}

void just_wait(NcclRank& self) {
  until_failure(self, [] {});
}

// A group with every other rank, all of them in one.
void exchange(NcclRank& self, std::size_t bytes = 100) {
  const auto message = self.upload(pattern(bytes, self.rank())), room = self.upload(canary(bytes));
  std::vector<Op> ops;
  for (std::uint32_t peer = 0; peer < self.ranks(); ++peer) {
    if (peer == self.rank()) continue;
    ops.push_back(NcclRank::send(peer, *message));
    ops.push_back(NcclRank::receive(peer, *room));
  }
  self.speaker().finish(self.post(ops));
}

TEST_F(NcclTest, ARankThatCannotJoinIsNamedByAll) {
  MockNccl::set_fault(1, {.joining_fails = ncclSystemError});
  EXPECT_THAT(outcomes(3, just_wait),
              ElementsAre(StartsWith("PeerError 1: rank 1 gave up: NCCL: comm_init_rank_config("),
                          AllOf(StartsWith("NcclError: NCCL: comm_init_rank_config("),
                                HasSubstr("unhandled system error; its last words: joining was told to fail")),
                          StartsWith("PeerError 1: ")));
}

// NCCL takes no two of them, unless it is told to.
TEST_F(NcclTest, RanksOnOneGpuAreNamedWhereJoiningFails) {
  for (std::uint32_t rank = 0; rank < 3; ++rank) MockNccl::set_fault(rank, {.joining_fails = ncclInvalidUsage});
  const std::uint32_t alone = cuda::device_count() - 1;
  for (const std::uint32_t shared : {0u, alone}) {
    std::vector<std::string> results(3);
    const auto meeting = ThreadBootstrap::meeting(3);
    on_ranks(3, [&](std::uint32_t rank) {
      ThreadBootstrap bootstrap(meeting, rank);
      const std::string device = std::to_string(rank == 1 ? alone : shared);
      results[rank] = message_of<NcclError>(
          [&] { connect_over(bootstrap, {.transport = "nccl:control=(loopback),device=" + device}); });
    });
    const std::string pair = shared == alone ? "ranks 0 and 1" : "ranks 0 and 2";
    for (const std::string& result : results)
      EXPECT_THAT(result,
                  HasSubstr("invalid usage; its last words: joining was told to fail; " + pair + " are on one GPU"));
  }
}

TEST_F(NcclTest, ARankThatNeverJoinsIsNamedAtTheDeadline) {
  std::mutex mutex;
  std::condition_variable changed;
  std::uint32_t failed = 0;
  MockNccl::set_fault(2, {.before_joining = [&] {
                        std::unique_lock lock(mutex);
                        changed.wait(lock, [&] { return failed == 2; });
                      }});
  const auto meeting = ThreadBootstrap::meeting(3);
  std::vector<std::string> results(3);
  on_ranks(3, [&](std::uint32_t rank) {
    ThreadBootstrap bootstrap(meeting, rank);
    results[rank] = message_of<PeerError>(
        [&] { connect_over(bootstrap, {.transport = "nccl:control=(loopback)", .deadline_seconds = 1}); });
    const std::lock_guard lock(mutex);
    ++failed;
    changed.notify_all();
  });
  for (const std::string& result : results)
    EXPECT_THAT(result, HasSubstr("rank 2 of 3 did not come to NCCL by the deadline"));
}

// What rank 1 says of itself, with another byte at one place.
class TamperedBootstrap final : public Bootstrap {
 public:
  TamperedBootstrap(Bootstrap& inner, std::size_t place) : inner_(inner), place_(place) {}
  std::uint32_t rank() const override { return inner_.rank(); }
  std::uint32_t ranks() const override { return inner_.ranks(); }
  std::vector<Bytes> all_gather(std::span<const std::byte> blob, std::string_view what, Deadline deadline) override {
    Bytes own(blob.begin(), blob.end());
    if (rank() == 1 && place_ < own.size()) own[place_] ^= std::byte{1};
    return inner_.all_gather(own, what, deadline);
  }

 private:
  Bootstrap& inner_;
  const std::size_t place_;
};

TEST_F(NcclTest, RanksWithAnotherVersionOrTransportAreRefused) {
  const auto refusal = [](std::size_t place) {
    const auto meeting = ThreadBootstrap::meeting(2);
    std::string message;
    on_ranks(2, [&](std::uint32_t rank) {
      ThreadBootstrap inner(meeting, rank);
      TamperedBootstrap bootstrap(inner, place);
      const std::string own = message_of<UsageError>([&] { connect_over(bootstrap, NcclTest::kOptions); });
      if (rank == 0) message = own;
    });
    return message;
  };
  EXPECT_THAT(refusal(0), HasSubstr("rank 1 connects over another transport than nccl"));
  EXPECT_THAT(refusal(9), AllOf(StartsWith("rank 1 has NCCL 2."), HasSubstr(" and rank 0 NCCL 2.")));
}

TEST_F(NcclTest, JoiningThatNeverEndsEndsAtTheDeadline) {
  for (std::uint32_t rank = 0; rank < 3; ++rank) MockNccl::set_fault(rank, {.joining_hangs = true});
  for (const std::string& result : outcomes(3, just_wait, 1))
    EXPECT_THAT(result, HasSubstr("NCCL did not connect 3 ranks by the deadline, though all are there"));
}

TEST_F(NcclTest, ACallThatFailsSaysWhich) {
  MockNccl::set_fault(1, {.failing_call = 2});
  const auto body = [](NcclRank& self) { until_failure(self, [&] { exchange(self); }); };
  EXPECT_THAT(outcomes(3, body),
              ElementsAre(StartsWith("PeerError 1: rank 1 gave up: NCCL: "),
                          AllOf(StartsWith("NcclError: NCCL: recv(op.bytes.data(), op.bytes.size(), ncclInt8, peer, "),
                                HasSubstr("invalid argument; its last words: the call was told to fail")),
                          StartsWith("PeerError 1: ")));
}

TEST_F(NcclTest, AnErrorInTheBackgroundIsNoticed) {
  for (const std::uint64_t calls : {3u, 5u}) {  // while a group starts, and later
    MockNccl::reset();
    MockNccl::set_fault(0, {.error_after = calls});
    const auto body = [](NcclRank& self) {
      until_failure(self, [&] {
        for (int i = 0; i < 4; ++i) exchange(self);
      });
    };
    EXPECT_THAT(outcomes(2, body),
                ElementsAre(AllOf(StartsWith("NcclError: NCCL: a communicator's work: unhandled cuda error")),
                            StartsWith("PeerError 0: rank 0 gave up: NCCL: a communicator's work: ")))
        << calls;
  }
}

TEST_F(NcclTest, ForARemoteErrorTheControlKnowsTheRank) {
  MockNccl::set_fault(0, {.error_after = 1, .background_error = ncclRemoteError});
  const auto body = [](NcclRank& self) {
    if (self.rank() == 1) return;
    until_failure(self, [&] { exchange(self); });
  };
  EXPECT_THAT(outcomes(2, body), ElementsAre(StartsWith("PeerError 1: rank 1 closed its transport while"), "fine"));
}

TEST_F(NcclTest, ARankThatPostsNothingIsNamedAtTheDeadline) {
  std::mutex mutex;
  std::condition_variable changed;
  bool over = false;
  const auto body = [&](NcclRank& self) {
    std::unique_lock lock(mutex);
    if (self.rank() == 1) return changed.wait(lock, [&] { return over; });
    lock.unlock();
    const std::string message = message_of<PeerError>([&] { exchange(self); });
    EXPECT_EQ(message,
              "rank 0 waited for rank 1 for 1 s: NCCL could not start a group in device memory with ranks 1; each must "
              "post its part");
    expect_same_error_again(self.transport(), message);
    lock.lock();
    over = true;
    changed.notify_all();
  };
  EXPECT_THAT(outcomes(2, body, 1), ElementsAre("fine", "fine"));
}

TEST_F(NcclTest, ARankThatLeavesIsNamedByThoseWhoWaitToStart) {
  const auto body = [](NcclRank& self) {
    if (self.rank() == 2) return;
    until_failure(self, [&] { exchange(self); });
  };
  const auto named = StartsWith("PeerError 2: ");
  EXPECT_THAT(outcomes(3, body), ElementsAre(named, named, "fine"));
}

TEST_F(NcclTest, AnAbortReachesThoseWhoWaitToStart) {
  const auto body = [](NcclRank& self) {
    if (self.rank() == 2) return self.transport().abort(1, "it sent nonsense");
    until_failure(self, [&] { exchange(self); });
  };
  const auto named = AllOf(StartsWith("PeerError 1: rank "), HasSubstr("it sent nonsense"));
  EXPECT_THAT(outcomes(4, body), ElementsAre(named, named, "fine", named));
  EXPECT_EQ(MockNccl::aborted(), 4u);
}

TEST_F(NcclTest, NothingMayBePostedAfterAnAbort) {
  const auto body = [](NcclRank& self) {
    self.transport().abort(self.rank(), "test over");
    expect_same_error_again(self.transport(), "rank 0 gave up: test over");
    exchange(self);
  };
  EXPECT_THAT(outcomes(1, body), ElementsAre("PeerError 0: rank 0 gave up: test over"));
}

TEST_F(NcclTest, RanksThatMustLeaveTogetherDo) {
  for (std::uint32_t rank = 0; rank < 3; ++rank) MockNccl::set_fault(rank, {.finalizes_together = true});
  EXPECT_THAT(outcomes(3, [](NcclRank& self) { exchange(self); }), ElementsAre("fine", "fine", "fine"));
  EXPECT_EQ(MockNccl::aborted(), 0u);
}

// The stand-in itself: it would let nothing of this pass.
class BrokenRules : public NcclTest {
 protected:
  void TearDown() override { EXPECT_EQ(MockNccl::communicators(), 0u); }
};

TEST_F(BrokenRules, UnequalSizesAreFound) {
  const auto body = [](NcclRank& self) { until_failure(self, [&] { exchange(self, 96 + 4 * self.rank()); }); };
  for (const std::string& result : outcomes(2, body)) EXPECT_THAT(result, HasSubstr("invalid usage"));
  EXPECT_THAT(MockNccl::violations(), testing::Contains(AnyOf("rank 0 sends 96 bytes to rank 1, which receives 100",
                                                              "rank 1 sends 100 bytes to rank 0, which receives 96")));
}

TEST_F(BrokenRules, UnequalOrdersAreFound) {
  const auto body = [](NcclRank& self) {
    const cuda::DeviceBuffer<float> values(4);
    const std::vector<float> zeros(4);
    cuda::copy<float>(self.exec, zeros, values.span());
    until_failure(self, [&] {
      if (self.rank() == 1) exchange(self);
      started(self, self.transport().all_reduce_sum(self.exec, values.span()));
      if (self.rank() == 0) exchange(self);
    });
  };
  const std::string waited = "1 s: NCCL could not start a group";
  for (const std::string& result : outcomes(2, body, 1)) EXPECT_THAT(result, HasSubstr(waited));
}

}  // namespace
}  // namespace tw::test
