#include "tests/collectives/faults.hpp"

#include <unistd.h>

#include <csignal>

#include <tightwire/communicator.hpp>

#include "tests/support/net.hpp"
#include "tests/support/processes.hpp"

namespace tw::test {
namespace {

constexpr double kDeadline = 2;  // of every wait; a silent rank is known by half of it
constexpr std::uint64_t kCount = 1u << 20;

struct Job {
  std::uint32_t ranks;
  const char* transport;
  std::uint16_t port = free_port();

  Communicator join(std::uint32_t rank) const {
    LaunchInfo launch;
    launch.rank = rank;
    launch.ranks = ranks;
    launch.master_port = port;
    CommunicatorOptions options;
    options.deadline_seconds = 30;
    return {connect(launch, {.transport = transport}), options};
  }
};

// Two parameters, each a bucket.
struct Gradients {
  std::vector<Param> params{{"a", 0, 1, kCount, DType::f32}, {"b", 1, 1, kCount, DType::f32}};
  std::vector<float> values = std::vector<float>(2 * kCount, 1.0f);

  std::vector<BucketPieces> plan() const { return plan_buckets(params, 4 * kCount); }
  Work hand_over(Communicator& communicator, std::uint32_t bucket) {
    const Param& param = params[1 - bucket];  // buckets are in reverse order
    const Piece piece{&param, 0, {values.data() + bucket * kCount, DType::f32, kCount}};
    return communicator.all_reduce({bucket, {&piece, 1}});
  }
};

// Trains a step, then another in which `victim` gets as far as its first bucket and halts.
std::string train_with_victim(const Job& job, std::uint32_t rank, std::uint32_t victim, const Milestone& reached) {
  Communicator communicator = job.join(rank);
  Gradients gradients;
  communicator.register_parameters(gradients.params, gradients.plan());
  for (std::uint64_t step = 0; step < 2; ++step) {
    communicator.begin_step({step, 0.1, 1});
    const Work first = gradients.hand_over(communicator, 0);
    if (rank == victim && step == 1) {
      reached();
      for (;;) pause();
    }
    const Work second = gradients.hand_over(communicator, 1);
    communicator.end_step(Deadline::in(kDeadline));
  }
  return "fine";
}

// Rank 0 gets as far as a broadcast of its own and halts; the other ranks wait for it in a tree.
std::string broadcast_without_root(const Job& job, std::uint32_t rank, const Milestone& reached) {
  Communicator communicator = job.join(rank);
  communicator.barrier(Deadline::in(30));
  if (rank == 0) {
    reached();
    for (;;) pause();
  }
  std::vector<float> values(1000);
  communicator.broadcast({values.data(), DType::f32, values.size()}, 0, Deadline::in(kDeadline));
  return "fine";
}

void expect_named(Processes& processes, std::uint32_t ranks, std::uint32_t victim) {
  const std::string expected = "PeerError " + std::to_string(victim) + ": ";
  for (std::uint32_t rank = 0; rank < ranks; ++rank) {
    if (rank == victim) continue;
    const std::string outcome = processes.outcome(rank);
    EXPECT_TRUE(outcome.starts_with(expected)) << "rank " << rank << ": " << outcome;
    EXPECT_NE(outcome.find("rank " + std::to_string(victim), expected.size()), std::string::npos) << outcome;
  }
}

TEST_P(ProcessFaults, ARankKilledInAnAllReduceIsNamedByAll) {
  const Job job{3, GetParam()};
  for (const std::uint32_t victim : {0u, 2u}) {
    Processes processes(job.ranks, [&](std::uint32_t rank, const Milestone& reached) {
      return train_with_victim(job, rank, victim, reached);
    });
    ASSERT_TRUE(processes.wait_for_milestone(victim)) << processes.outcome(victim);
    processes.kill(victim, SIGKILL);
    expect_named(processes, job.ranks, victim);
  }
}

TEST_P(ProcessFaults, ARankStoppedInAnAllReduceIsNamedByAllAtTheDeadline) {
  const Job job{3, GetParam()};
  constexpr std::uint32_t kVictim = 1;
  Processes processes(job.ranks, [&](std::uint32_t rank, const Milestone& reached) {
    return train_with_victim(job, rank, kVictim, reached);
  });
  ASSERT_TRUE(processes.wait_for_milestone(kVictim)) << processes.outcome(kVictim);
  processes.kill(kVictim, SIGSTOP);
  expect_named(processes, job.ranks, kVictim);
}

TEST_P(ProcessFaults, ARankThatNeverHandsOverIsNamedByAllAtTheDeadline) {
  const Job job{3, GetParam()};
  constexpr std::uint32_t kVictim = 2;
  Processes processes(job.ranks, [&](std::uint32_t rank, const Milestone& reached) {
    return train_with_victim(job, rank, kVictim, reached);
  });
  expect_named(processes, job.ranks, kVictim);
}

TEST_P(ProcessFaults, ARankThatOnlyOthersWaitForIsNamedByAll) {
  const Job job{4, GetParam()};
  for (const int signal : {SIGKILL, SIGSTOP}) {  // rank 3 waits for 2, and 2 for 0
    Processes processes(job.ranks, [&](std::uint32_t rank, const Milestone& reached) {
      return broadcast_without_root(job, rank, reached);
    });
    ASSERT_TRUE(processes.wait_for_milestone(0)) << processes.outcome(0);
    processes.kill(0, signal);
    expect_named(processes, job.ranks, 0);
  }
}

TEST_P(ProcessFaults, ARankThatNeverStartsIsNamedByAll) {
  const Job job{4, GetParam()};
  Processes processes(3, [&](std::uint32_t rank, const Milestone&) {
    LaunchInfo launch;
    launch.rank = rank == 2 ? 3 : rank;
    launch.ranks = job.ranks;
    launch.master_port = job.port;
    connect(launch, {.transport = job.transport, .deadline_seconds = 1});
    return std::string("fine");
  });
  for (std::uint32_t process = 0; process < 3; ++process) {
    const std::string outcome = processes.outcome(process);
    EXPECT_TRUE(outcome.starts_with("PeerError 2: rank 2 of 4 did not come to the exchange of ")) << outcome;
  }
}

TEST_P(ProcessFaults, TheEndIsOrderlyWhenNobodyFails) {
  const Job job{4, GetParam()};
  Processes processes(job.ranks, [&](std::uint32_t rank, const Milestone& reached) {
    return train_with_victim(job, rank, job.ranks, reached);
  });
  for (std::uint32_t rank = 0; rank < job.ranks; ++rank) EXPECT_EQ(processes.outcome(rank), "fine");
}

}  // namespace
}  // namespace tw::test
