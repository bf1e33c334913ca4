// Who does what: from flags and environment to threads, a rank or a launcher.
#include "trainer/job.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include <tightwire/error.hpp>

#include "tests/trainer/support.hpp"

namespace tw::trainer {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

using Environment = std::map<std::string, std::string>;

JobPlan plan(const TrainOptions& options, const Environment& environment = {}) {
  return plan_job(options, [&](const std::string& name) {
    const auto found = environment.find(name);
    return found == environment.end() ? std::nullopt : std::optional(found->second);
  });
}

const Environment kLaunched{{"RANK", "2"}, {"WORLD_SIZE", "4"}, {"MASTER_ADDR", "10.0.0.1"}, {"MASTER_PORT", "2345"}};

TEST(JobPlan, IsThreadsWhereNobodySaysOtherwise) {
  TrainOptions options;
  EXPECT_EQ(plan(options).part, Part::threads);
  EXPECT_EQ(plan(options).ranks, 1u);
  options.ranks = 4;
  EXPECT_EQ(plan(options).part, Part::threads);
  EXPECT_EQ(plan(options).ranks, 4u);
  EXPECT_EQ(plan(options).transport, "loopback");
  options.transport = "rate_limited:gbit=1,inner=(loopback)";
  EXPECT_EQ(plan(options).part, Part::threads);
}

TEST(JobPlan, IsARankUnderALauncher) {
  TrainOptions options;
  const JobPlan launched = plan(options, kLaunched);
  EXPECT_EQ(launched.part, Part::rank);
  EXPECT_EQ(launched.launch.rank, 2u);
  EXPECT_EQ(launched.ranks, 4u);
  EXPECT_EQ(launched.transport, "tcp");
  options.lab = "1gbit";  // the launcher's words come along to its ranks
  options.ranks = 4;
  EXPECT_EQ(plan(options, kLaunched).part, Part::rank);
}

TEST(JobPlan, IsARankWhereFlagsSaySo) {
  TrainOptions options;
  options.rank = 1;
  options.ranks = 3;
  const JobPlan flagged = plan(options);
  EXPECT_EQ(flagged.part, Part::rank);
  EXPECT_EQ(flagged.launch.rank, 1u);
  EXPECT_EQ(flagged.ranks, 3u);
}

TEST(JobPlan, LaunchesRanksThatNobodyLaunched) {
  TrainOptions options;
  options.ranks = 4;
  options.transport = "tcp";
  EXPECT_EQ(plan(options).part, Part::launcher);
  options.transport = "auto";
  options.lab = "1gbit";
  EXPECT_EQ(plan(options).part, Part::launcher);
  EXPECT_EQ(plan(options).transport, "tcp");
}

TEST(JobPlan, RefusesWhatContradictsTheLauncher) {
  TrainOptions options;
  options.ranks = 3;
  EXPECT_THAT([&] { plan(options, kLaunched); },
              ThrowsMessage<UsageError>(AllOf(HasSubstr("--ranks is 3"), HasSubstr("started 4"))));
  options.ranks.reset();
  options.transport = "loopback";
  EXPECT_THAT([&] { plan(options, kLaunched); }, ThrowsMessage<UsageError>(HasSubstr("threads of one process")));
}

class Job : public testing::Test {
 protected:
  Job() {
    write_dataset(folder.path(), small_dataset());
    options.data_dir = folder.path();
  }
  Summary run() {
    std::ostringstream told;
    return run_job(options, plan(options), told);
  }
  const TemporaryFolder folder;
  TrainOptions options = quick_options();
};

TEST_F(Job, TrainsRanksAsThreads) {
  options.ranks = 3;
  const Summary summary = run();
  EXPECT_EQ(summary.ranks, 3u);
  EXPECT_EQ(summary.steps, 6u);
  EXPECT_EQ(summary.transport, "loopback");
}

TEST_F(Job, SaysWhichPackageBringsAMissingDataset) {
  options.data_dir = "/nonexistent";
  EXPECT_THAT([&] { run(); }, ThrowsMessage<UsageError>(HasSubstr("apt-get install dataset-fashion-mnist")));
}

TEST_F(Job, RefusesAnUnknownTransport) {
  options.transport = "pigeon:inner=(loopback)";
  EXPECT_THAT([&] { run(); }, ThrowsMessage<UsageError>(AllOf(HasSubstr("pigeon"), HasSubstr("loopback"))));
}

}  // namespace
}  // namespace tw::trainer
