// What a run tells: the split of the time, statistics over steps, JSON, progress.
#include "trainer/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include <tightwire/error.hpp>

#include "tests/trainer/support.hpp"
#include "trainer/progress.hpp"

namespace tw::trainer {
namespace {

using testing::HasSubstr;

TEST(StepTimes, PartsAddUpToTheStep) {
  Stats before, after;
  before.waited_encode_seconds = 1;
  after.waited_encode_seconds = 1.25;
  after.waited_comm_seconds = 0.5;
  after.waited_decode_seconds = 0.125;
  before.sent_bytes = 100;
  after.sent_bytes = 350;
  const StepTimes times = step_times(2, before, after);
  EXPECT_EQ(times.encode, 0.25);
  EXPECT_EQ(times.exposed_comm, 0.5);
  EXPECT_EQ(times.decode, 0.125);
  EXPECT_EQ(times.compute, 1.125);
  EXPECT_EQ(times.sent_bytes, 250u);
}

TEST(StepStatistics, LeaveTheFirstStepsOut) {
  StepStatistics statistics;
  for (int i = 0; i < 5; ++i) statistics.add({100, 100, 0, 0, 0, 1000});
  for (const double seconds : {1.0, 2.0, 3.0, 10.0, 4.0, 1.0, 2.0, 3.0, 10.0, 4.0})
    statistics.add({seconds, seconds, 0, 0, 0, 8});
  EXPECT_EQ(statistics.warmup_steps(), 5u);
  EXPECT_EQ(statistics.median_seconds(), 3.0);
  EXPECT_EQ(statistics.mean().total, 4.0);
  EXPECT_EQ(statistics.mean().sent_bytes, 8u);
}

TEST(StepStatistics, OfNoStepsAreZero) {
  EXPECT_EQ(StepStatistics().median_seconds(), 0);
  EXPECT_EQ(StepStatistics().mean().total, 0);
}

TEST(Metrics, AreOneLineOfJsonAStep) {
  const TemporaryFolder folder;
  const std::string path = folder.path("metrics.jsonl");
  {
    MetricsFile metrics(path);
    metrics.step({1, 0, 2.5, 0.1, {2, 1, 0.5, 0.25, 0.25, 64}, {}});
    metrics.step({2, 0, 2.25, 0.1, {}, {false, "rank 1 met a NaN", 1, 0}});
    metrics.validation(2, {8, 3, 4});
  }
  const auto bytes = read_bytes(path);
  std::istringstream in(std::string(bytes.begin(), bytes.end()));
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0]["loss"], 2.5);
  EXPECT_EQ(lines[0]["exposed_comm_seconds"], 0.25);
  EXPECT_EQ(lines[0]["committed"], true);
  EXPECT_EQ(lines[1]["reason"], "rank 1 met a NaN");
  EXPECT_EQ(lines[2]["test_accuracy"], 0.75);
}

TEST(Metrics, ThatCannotBeWrittenAreAnError) {
  EXPECT_THAT([] { MetricsFile("/nonexistent/metrics"); },
              testing::ThrowsMessage<SystemError>(HasSubstr("/nonexistent/metrics")));
}

TEST(Summary, HoldsWhatWasMeasuredAndUnderWhatConditions) {
  Summary summary;
  summary.ranks = 4;
  summary.steps = 100;
  summary.transport = "tcp";
  summary.step_seconds_median = 0.5;
  summary.mean = {1, 0.5, 0.25, 0.125, 0.125, 0};
  summary.wire_bytes_per_step = 77;
  summary.parameters_hash = "0123456789abcdef";
  TrainOptions options;
  options.codec = "int8+ef";
  options.codec_for = {{"*bias", "identity"}};
  const auto json = nlohmann::json::parse(summary_json(summary, options));
  for (const char* key :
       {"step_seconds_median", "step_seconds_mean", "compute_seconds", "encode_seconds", "exposed_comm_seconds",
        "decode_seconds", "wire_bytes_per_step", "dense_bytes_per_step", "skipped_steps", "test_accuracy", "final_loss",
        "parameters_hash", "codec", "algorithm", "transport", "ranks", "steps", "seed", "context"})
    EXPECT_TRUE(json.contains(key)) << key;
  EXPECT_EQ(json["device"], "cpu");
  EXPECT_EQ(json["step_seconds_mean"], 1.0);
  EXPECT_EQ(json["wire_bytes_per_step"], 77);
  EXPECT_EQ(json["codec_for"][0]["pattern"], "*bias");
  EXPECT_TRUE(json["final_loss"].is_null());
  EXPECT_EQ(json["context"]["ranks"], 4);
}

TEST(Progress, IsALineNowAndThenWhereNobodyLooks) {
  std::ostringstream out;
  {
    Progress progress(out, Progress::Style::lines, 20);
    for (std::uint64_t step = 1; step <= 20; ++step) progress.step(step, 0.5, 0.25);
  }
  EXPECT_EQ(std::count(out.view().begin(), out.view().end(), '\n'), 10);
  EXPECT_THAT(out.str(), HasSubstr("step 10/20  loss 0.5000  250.0 ms/step  0:03 left"));
  EXPECT_THAT(out.str(), testing::Not(HasSubstr("\r")));
}

TEST(Progress, IsABarOnATerminal) {
  std::ostringstream out;
  {
    Progress progress(out, Progress::Style::bar, 4);
    progress.step(4, 0.5, 0.25);
    progress.note("accuracy 1");
  }
  EXPECT_THAT(out.str(), HasSubstr("[##############################] step 4/4"));
  EXPECT_THAT(out.str(), testing::EndsWith("\r\033[Kaccuracy 1\n"));
}

TEST(Progress, CanBeSilent) {
  std::ostringstream out;
  Progress progress(out, Progress::Style::none, 4);
  progress.step(4, 0.5, 0.25);
  progress.note("accuracy 1");
  EXPECT_EQ(out.str(), "");
}

}  // namespace
}  // namespace tw::trainer
