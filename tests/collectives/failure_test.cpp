// How a communicator fails: the right error on every rank, naming the rank to blame and what was waited for; never a
// hang, never a wrong mean.
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <limits>
#include <optional>
#include <stdexcept>

#include <tightwire/communicator.hpp>

#include "collectives/transport.hpp"
#include "tests/support/exchange.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/serial_exchange.hpp"

namespace tw::test {
namespace {

GroupSpec group_of(std::uint32_t ranks) {
  return {.ranks = ranks, .params = awkward_params(3000), .bucket_bytes = 2500};
}

// A failed communicator says the same again and again.
void expect_failed_for_good(Member& member, const std::string& message) {
  EXPECT_EQ(message_of<Error>([&] { member.communicator().barrier(soon()); }), message);
  EXPECT_EQ(message_of<Error>([&] { member.communicator().all_gather({}, soon()); }), message);
}

TEST(CommunicatorFailure, ADeadlineNamesTheRankAndWhatWasWaitedFor) {
  auto transports = connect_threads(2, {.transport = "loopback"});
  std::atomic<bool> over = false;
  on_ranks(2, [&](std::uint32_t rank) {
    Member member(group_of(2), std::move(transports[rank]));
    Tensors tensors = gradients_of(member.params(), Values::integers, 1, rank);
    if (rank == 1) {  // is there, but takes no part
      over.wait(false);
      EXPECT_THROW(member.step(1, tensors), PeerError);
      return;
    }
    member.communicator().begin_step({1, 0.1, 1});
    Work work = member.hand_over(0, tensors);
    try {
      work.wait(Deadline::in(0.05));
      ADD_FAILURE() << "a mean without the other rank";
    } catch (const PeerError& error) {
      const std::string message = error.what();
      EXPECT_EQ(error.rank(), 1u);
      EXPECT_FALSE(error.uncertain());
      EXPECT_NE(message.find("rank 1"), std::string::npos) << message;
      EXPECT_NE(message.find("of bucket 0"), std::string::npos) << message;
      expect_failed_for_good(member, message);
    }
    over = true;
    over.notify_all();
  });
}

// Which is not done because it needs the sums of others.
TEST(CommunicatorFailure, ADeadlineOfTheVoteNamesTheRankThatKeepsThisOneFromEncoding) {
  GroupSpec spec = group_of(3);
  for (Param& param : spec.params) param.dtype = DType::f32;
  spec.options.algorithm = "ring";
  auto transports = connect_threads(3, {.transport = "loopback"});
  std::latch told(2);
  on_ranks(3, [&](std::uint32_t rank) {
    Member member(spec, std::move(transports[rank]));
    if (rank == 2) return told.wait();
    Tensors tensors = gradients_of(spec.params, Values::integers, 1, rank);
    member.communicator().begin_step({1, 0.1, 1});
    for (std::uint32_t bucket = 0; bucket < member.buckets(); ++bucket) member.hand_over(bucket, tensors);
    try {
      member.communicator().verdict(rank == 0 ? Deadline::in(0.2) : soon());
      ADD_FAILURE() << "a vote without rank 2";
    } catch (const PeerError& error) {
      EXPECT_EQ(error.rank(), 2u) << error.what();
      EXPECT_NE(std::string(error.what()).find("behind it for the vote of step 1"), std::string::npos) << error.what();
    }
    told.count_down();
  });
}

TEST(CommunicatorFailure, ALogThatThrowsHarmsNobody) {
  GroupSpec spec = group_of(2);
  spec.options.log = [](const std::string&) { throw std::runtime_error("a log that throws"); };
  auto transports = connect_threads(2, {.transport = "loopback"});
  std::latch stepped(2);
  on_ranks(2, [&](std::uint32_t rank) {
    Member member(spec, std::move(transports[rank]));
    Tensors tensors = gradients_of(spec.params, Values::integers, 1, rank);
    tensors[1].set(0, std::numeric_limits<float>::quiet_NaN());
    EXPECT_FALSE(member.step(1, tensors).committed);
    stepped.arrive_and_wait();
    member.communicator().abort("enough");
    EXPECT_THROW(member.communicator().barrier(soon()), PeerError);
  });
}

TEST(CommunicatorFailure, ADeadlineOfTheVoteSaysWhenThisRankIsNotDone) {
  auto transports = connect_threads(2, {.transport = "loopback"});
  on_ranks(2, [&](std::uint32_t rank) {
    Member member(group_of(2), std::move(transports[rank]));
    if (rank == 1) return;
    member.communicator().begin_step({1, 0.1, 1});
    const auto message = message_of<PeerError>([&] { member.communicator().verdict(Deadline::in(60)); });
    EXPECT_NE(message.find("rank 1"), std::string::npos) << message;
  });
}

TEST(CommunicatorFailure, ARankThatLeavesIsNamedByAllOthers) {
  auto transports = connect_threads(3, {.transport = "loopback"});
  on_ranks(3, [&](std::uint32_t rank) {
    Member member(group_of(3), std::move(transports[rank]));
    Tensors tensors = gradients_of(member.params(), Values::integers, 1, rank);
    try {
      member.communicator().barrier(soon());
      if (rank == 1) return;
      member.step(1, tensors);
      ADD_FAILURE() << "a step without rank 1";
    } catch (const PeerError& error) {
      EXPECT_EQ(error.rank(), 1u) << error.what();
    }
  });
}

TEST(CommunicatorFailure, LeavingWithWorkInFlightIsSaid) {
  auto transports = connect_threads(2, {.transport = "loopback"});
  on_ranks(2, [&](std::uint32_t rank) {
    const auto message = message_of<PeerError>([&] {  // it may come while the other rank still registers
      const GroupSpec spec = group_of(2);
      Tensors tensors = gradients_of(spec.params, Values::integers, 1, rank);  // outlive the work in flight
      Member member(spec, std::move(transports[rank]));
      member.communicator().begin_step({1, 0.1, 1});
      member.hand_over(0, tensors);
      if (rank == 0) member.communicator().end_step(soon());
    });
    EXPECT_TRUE(rank == 1 || message.find("rank 1") != std::string::npos) << message;
  });
}

TEST(CommunicatorFailure, WorkOutlivesItsCommunicator) {
  auto transports = connect_threads(1, {.transport = "loopback"});
  std::optional<Member> member(std::in_place, group_of(1), std::move(transports[0]));
  Tensors tensors = gradients_of(member->params(), Values::integers, 1, 0);
  member->communicator().begin_step({1, 0.1, 1});
  Work work = member->hand_over(0, tensors);
  member.reset();
  EXPECT_THROW(work.wait(soon()), UsageError);
}

TEST(CommunicatorFailure, AbortReachesEverybody) {
  auto transports = connect_threads(3, {.transport = "loopback"});
  on_ranks(3, [&](std::uint32_t rank) {
    std::optional<Member> member;
    try {  // it may come while others still register
      member.emplace(group_of(3), std::move(transports[rank]));
      Tensors tensors = gradients_of(member->params(), Values::integers, 1, rank);
      if (rank == 2) member->communicator().abort("the disk is full");
      member->step(1, tensors);
      ADD_FAILURE() << "a step after an abort";
    } catch (const PeerError& error) {
      EXPECT_EQ(error.rank(), 2u) << error.what();
      EXPECT_NE(std::string(error.what()).find("the disk is full"), std::string::npos) << error.what();
      if (member) expect_failed_for_good(*member, error.what());
    }
  });
}

TEST(CommunicatorFailure, RanksInDifferentStepsAreNamed) {
  auto transports = connect_threads(2, {.transport = "loopback"});
  on_ranks(2, [&](std::uint32_t rank) {
    Member member({.ranks = 2}, std::move(transports[rank]));  // no frames: the vote finds it
    Tensors none;
    const auto message = message_of<UsageError>([&] { member.step(10 + rank, none); });
    EXPECT_NE(message.find("rank 0 in 10, rank 1 in 11"), std::string::npos) << message;
  });
}

// Sums of finite gradients that overflow are no mean: the step fails, and may have been applied elsewhere.
TEST(CommunicatorFailure, AnOverflowingSumIsNoMean) {
  auto transports = connect_threads(2, {.transport = "loopback"});
  on_ranks(2, [&](std::uint32_t rank) {
    GroupSpec spec = group_of(2);
    spec.params = {{"w", 0, 1, 1000, DType::f32}};
    Member member(spec, std::move(transports[rank]));
    Tensors tensors = gradients_of(spec.params, Values::integers, 1, rank);
    for (std::uint64_t i = 0; i < 1000; ++i) tensors[0].set(i, 3e38f);
    try {
      member.step(1, tensors);
      ADD_FAILURE() << "infinity was delivered";
    } catch (const Error& error) {
      EXPECT_TRUE(error.uncertain()) << error.what();
    }
  });
}

// What one rank went through under faults.
struct Fate {
  bool registered = false;
  std::uint64_t committed = 0;  // steps
  bool voted = false;           // knew the verdict of the step that failed
  std::optional<std::string> error;
};

Fate live(const GroupSpec& spec, TransportPtr transport, const std::vector<Tensors>& means) {
  Fate fate;
  const std::uint32_t rank = transport->rank();
  try {
    Member member(spec, std::move(transport));
    fate.registered = true;
    for (std::uint64_t step = 0; step < means.size(); ++step) {
      Tensors tensors = gradients_of(spec.params, Values::gaussian, step, rank);
      fate.voted = false;
      member.communicator().begin_step({step, 0.1, 1});
      for (std::uint32_t bucket = 0; bucket < member.buckets(); ++bucket) member.hand_over(bucket, tensors);
      const Deadline deadline = Deadline::in(0.5);
      EXPECT_TRUE(member.communicator().verdict(deadline).commit);
      fate.voted = true;
      EXPECT_TRUE(member.communicator().end_step(deadline).committed);
      EXPECT_EQ(tensors, means[step]) << "a wrong mean at rank " << rank << " in step " << step;
      fate.committed = step + 1;
    }
    member.communicator().barrier(Deadline::in(0.5));
  } catch (const UsageError& error) {
    ADD_FAILURE() << "rank " << rank << ": " << error.what();
  } catch (const Error& error) {  // of the wire, of a peer, of the system under the killed rank
    fate.error = error.what();
    EXPECT_TRUE(!fate.voted || error.uncertain() || fate.committed == means.size()) << error.what();
  }
  return fate;
}

std::vector<Fate> lives_under(const std::string& fault, const std::string& algorithm, const std::string& codec) {
  GroupSpec spec = group_of(3);
  std::erase_if(spec.params, [](const Param& param) { return param.dtype != DType::f32; });
  for (std::uint32_t id = 0; id < spec.params.size(); ++id) spec.params[id].id = id;
  spec.options = {.codec = codec, .algorithm = algorithm, .chunk_bytes = 2048, .deadline_seconds = 0.5};
  SerialExchange definition(algorithm, spec);
  std::vector<Tensors> means;
  for (std::uint64_t step = 0; step < 3; ++step) {
    std::vector<Tensors> gradients;
    for (std::uint32_t rank = 0; rank < 3; ++rank)
      gradients.push_back(gradients_of(spec.params, Values::gaussian, step, rank));
    means.push_back(definition.step(step, gradients));
  }
  auto transports = connect_threads(3, {.transport = "faulty:" + fault + ",inner=(loopback)"});
  std::vector<Fate> fates(3);
  on_ranks(3, [&](std::uint32_t rank) { fates[rank] = live(spec, std::move(transports[rank]), means); });
  return fates;
}

struct Faulted {
  std::string algorithm, codec;
};
void PrintTo(const Faulted& faulted, std::ostream* out) { *out << faulted.algorithm << " x " << faulted.codec; }

class UnderFaults : public ::testing::TestWithParam<Faulted> {
 protected:
  std::vector<Fate> lives(const std::string& fault) const {
    return lives_under(fault, GetParam().algorithm, GetParam().codec);
  }
};

TEST_P(UnderFaults, DelaysAndOvertakingChangeNothing) {
  for (int seed = 0; seed < 5; ++seed)
    for (const Fate& fate : lives("delay=40,seed=" + std::to_string(seed))) {
      EXPECT_EQ(fate.committed, 3u);
      EXPECT_FALSE(fate.error.has_value()) << *fate.error;
    }
}

TEST_P(UnderFaults, HarmedMessagesNeverBecomeMeans) {
  std::uint32_t failures = 0;
  for (const std::string harm : {"corrupt=0.02", "truncate=0.02"})
    for (int seed = 0; seed < 5; ++seed)
      for (const Fate& fate : lives(harm + ",seed=" + std::to_string(seed))) failures += fate.error.has_value();
  EXPECT_GT(failures, 6u);  // the faults did happen
}

TEST_P(UnderFaults, ALostMessageEndsAtTheDeadline) {
  for (const Fate& fate : lives("drop=0.2,seed=1,rank=1")) {
    EXPECT_LT(fate.committed, 3u);
    EXPECT_TRUE(fate.error.has_value());
  }
}

TEST_P(UnderFaults, AKilledRankIsNamedWhereverItDies) {
  for (const int message : {1, 3, 4, 5, 8, 13})
    for (const Fate& fate : lives("rank=1,kill=" + std::to_string(message))) {
      ASSERT_TRUE(fate.error.has_value()) << "message " << message;
      EXPECT_NE(fate.error->find("rank 1"), std::string::npos) << *fate.error;
    }
}

INSTANTIATE_TEST_SUITE_P(All, UnderFaults,
                         ::testing::Values(Faulted{"two_shot", "identity"}, Faulted{"two_shot", "int8+ef"},
                                           Faulted{"ring", "identity"}, Faulted{"all_gather_reduce", "topk+ef"}),
                         [](const auto& info) { return std::to_string(info.index); });

}  // namespace
}  // namespace tw::test
