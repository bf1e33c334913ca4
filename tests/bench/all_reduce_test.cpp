// `bench all_reduce`: contributions whose mean is known exactly, and rows that agree with the algorithm's formulas.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bench/all_reduce.hpp"
#include "bench/all_reduce_output.hpp"
#include "bench/reduced_tensor.hpp"
#include "kernels/base/check.hpp"
#include "tools/process.hpp"

namespace tw {
namespace {

AllReduceCase small_case(const std::string& codec) {
  AllReduceCase one;
  one.count = 5000;
  one.iterations = 3;
  one.warmup = 1;
  one.options.codec = codec;
  return one;
}

const ConnectOptions kLoopback{.transport = "loopback"};

TEST(AllReduceBench, ContributionsAddUpExactlyInAnyOrder) {
  for (const std::uint32_t ranks : {1u, 2u, 3u, 64u, 65u, 200u}) {
    constexpr std::uint64_t kCount = 2000;
    std::vector<float> up(kCount, 0), down(kCount, 0);
    for (std::uint32_t rank = 0; rank < ranks; ++rank) {
      const auto first = contribution(rank, ranks, kCount), last = contribution(ranks - 1 - rank, ranks, kCount);
      for (std::uint64_t i = 0; i < kCount; ++i) up[i] += first[i], down[i] += last[i];
    }
    EXPECT_EQ(up, down) << ranks;
    for (float& value : up) value /= static_cast<float>(ranks);
    EXPECT_EQ(up, exact_mean(ranks, kCount)) << ranks;
  }
}

TEST(AllReduceBench, ContributionsDifferByRankAndElement) {
  const auto zero = contribution(0, 4, 1000), one = contribution(1, 4, 1000);
  EXPECT_NE(zero, one);
  EXPECT_NE(zero[0], zero[1]);
  double sum = 0, squares = 0;
  for (const float value : zero) sum += value, squares += value * value;
  EXPECT_NEAR(sum / 1000, 0, 0.1);
  EXPECT_NEAR(squares / 1000, 8.0 / 12, 0.1);  // eight uniform numbers
}

TEST(AllReduceBench, ALosslessCodecIsExact) {
  for (const std::uint32_t ranks : {1u, 3u}) {
    const AllReduceResult result = measure_on_threads(ranks, kLoopback, small_case("identity"));
    EXPECT_EQ(result.wrong, 0u);
    EXPECT_EQ(result.relative_error, 0);
    EXPECT_GT(result.seconds, 0);
    EXPECT_LE(result.lowest_seconds, result.median_seconds);
    EXPECT_LE(result.median_seconds, result.highest_seconds);
    EXPECT_EQ(result.wire_bytes > 0, ranks > 1);
  }
}

TEST(AllReduceBench, ALossyCodecHasItsErrorAndSendsLess) {
  const AllReduceResult dense = measure_on_threads(2, kLoopback, small_case("identity"));
  const AllReduceResult result = measure_on_threads(2, kLoopback, small_case("int8+ef"));
  EXPECT_GT(result.relative_error, 1e-4);
  EXPECT_LT(result.relative_error, 2e-2);
  EXPECT_LT(result.wire_bytes * 3, dense.wire_bytes);
}

TEST(AllReduceBench, ErrorsOfARankAreTheCauseNotTheConsequence) {
  AllReduceCase one = small_case("identity");
  one.options.algorithm = "no_such";
  EXPECT_THROW(measure_on_threads(3, kLoopback, one), UsageError);
}

TEST(AllReduceBench, RowsFollowNcclTests) {
  AllReduceRow row;
  row.count = 250'000'000;
  row.ranks = 4;
  row.result.seconds = 0.5;
  row.result.wire_bytes = 750'000'000;
  EXPECT_DOUBLE_EQ(row.algbw(), 2.0);
  EXPECT_DOUBLE_EQ(row.busbw(), 3.0);
  EXPECT_DOUBLE_EQ(row.wire_bw(), 1.5);
  EXPECT_DOUBLE_EQ(row.ratio(), 2.0);
  EXPECT_EQ(all_reduce_json({row}, {})["results"][0]["wrong"], nullptr);
  row.lossless = true;
  row.result.wrong = 3;
  EXPECT_EQ(all_reduce_json({row}, {})["results"][0]["wrong"], 3);
  EXPECT_NE(all_reduce_footer({row}).find("Out of bounds values : 3 FAILED"), std::string::npos);
}

Finished bench(std::vector<std::string> words) {
  const char* const first[] = {TW_TEST_TOOL, "bench", "all_reduce"};
  words.insert(words.begin(), std::begin(first), std::end(first));
  return run_process({words, {}, {"RANK", "WORLD_SIZE", "TW_RANK", "TW_WORLD_SIZE"}});
}

TEST(AllReduceBench, StartsItsRanksAsProcessesWhereNoLauncherDid) {
  const Finished run = bench({"--ranks", "3", "--transport", "tcp", "--codec", "int8", "identity", "-b", "4K", "-e",
                              "8K", "-f", "2", "-n", "2", "-w", "1", "--json", "-"});
  ASSERT_EQ(run.code, 0) << run.err;
  const auto processes = nlohmann::json::parse(run.out);  // rank 0 alone speaks
  EXPECT_EQ(processes["context"]["ranks"], 3);
  ASSERT_EQ(processes["results"].size(), 4u);
  EXPECT_EQ(processes["results"][3]["wrong"], 0);
  AllReduceCase one = small_case("int8");
  one.count = 1024;
  const AllReduceResult threads = measure_on_threads(3, kLoopback, one);
  EXPECT_EQ(processes["results"][0]["wire_bytes"], threads.wire_bytes);
  EXPECT_DOUBLE_EQ(processes["results"][0]["relative_error"], threads.relative_error);
}

TEST(AllReduceBench, TakesRanksFromALauncherAndRefusesOthers) {
  const auto launched = [](std::vector<std::string> words) {
    const char* const first[] = {TW_TEST_TOOL, "launch", "-n", "2",  "--no-prefix", "--", TW_TEST_TOOL, "bench",
                                 "all_reduce", "-b",     "4K", "-e", "4K",          "-n", "1"};
    words.insert(words.begin(), std::begin(first), std::end(first));
    return run_process({words, {}, {}});
  };
  const Finished run = launched({"--transport", "tcp", "--json", "-"});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(nlohmann::json::parse(run.out)["results"][0]["ranks"], 2);
  const Finished three = launched({"--transport", "tcp", "--ranks", "3"});
  EXPECT_EQ(three.code, 2);
  EXPECT_NE(three.err.find("--ranks 3, but tightwire started 2"), std::string::npos) << three.err;
  const Finished threads = launched({"--transport", "loopback"});
  EXPECT_EQ(threads.code, 2);
  EXPECT_NE(threads.err.find("joins threads of one process, but tightwire started processes"), std::string::npos)
      << threads.err;
}

TEST(AllReduceBench, WritesTheKeysThatConsumersRead) {
  const Finished run = bench({"--ranks", "2", "--transport", "loopback", "--codec", "identity", "bf16", "-b", "4K",
                              "-e", "16K", "-f", "2", "-n", "2", "-w", "1", "--json", "-"});
  ASSERT_EQ(run.code, 0) << run.err;
  const auto json = nlohmann::json::parse(run.out);
  EXPECT_EQ(json["schema_version"], 1);
  EXPECT_EQ(json["context"]["ranks"], 2);
  ASSERT_EQ(json["results"].size(), 6u);
  for (const char* key :
       {"count", "bytes", "type", "redop", "algorithm", "transport", "codec", "time_us", "algbw_gbps", "busbw_gbps",
        "wrong", "wire_bytes", "wire_bw_gbps", "ratio", "encode_us", "comm_us", "decode_us", "relative_error"})
    for (const auto& row : json["results"]) EXPECT_TRUE(row.contains(key)) << key;
  EXPECT_EQ(json["results"][2]["bytes"], 16384);
  EXPECT_EQ(json["results"][2]["wrong"], 0);
  EXPECT_EQ(json["results"][3]["codec"], "bf16");
  EXPECT_EQ(json["results"][3]["wrong"], nullptr);
}

TEST(AllReduceBench, ARateLimitedTransportIsALink) {
  const Finished run = bench({"--ranks", "2", "--transport", "rate_limited:gbit=0.5,burst=4096,inner=(loopback)", "-b",
                              "4K", "-e", "4K", "-n", "1", "--json", "-"});
  ASSERT_EQ(run.code, 0) << run.err;
  const auto context = nlohmann::json::parse(run.out)["context"];
  EXPECT_EQ(context["link"], "0.5gbit (emulated)");
  EXPECT_EQ(context["burst"], "4096");
}

TEST(AllReduceBench, RefusesMisuse) {
  const std::vector<std::string> cases[] = {{"-b", "2"},
                                            {"-b", "8K", "-e", "4K"},
                                            {"-f", "1"},
                                            {"-n", "0"},
                                            {"--ranks", "0"},
                                            {"--codec", "int9"},
                                            {"--codec", "topk:ratio=2"},
                                            {"--algorithm", "no_such"},
                                            {"--transport", "no_such"},
                                            {"--checksum", "maybe"},
                                            {"--lab", "1gbit"},
                                            {"--deadline", "0"},
                                            {"--device", "gpu"},
                                            {"--device", "cuda", "--threads", "2"}};
  for (auto words : cases) {
    if (words[0] != "--transport") words.insert(words.end(), {"--transport", "loopback"});
    const Finished run = bench(words);
    EXPECT_EQ(run.code, 2) << words[0] << " " << words[1] << ": " << run.err;
    EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
  }
}

}  // namespace
}  // namespace tw
