// `bench codecs` measures what it says: sizes and errors are known, speeds are there, threads change neither.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "bench/codecs.hpp"
#include "bench/command.hpp"

namespace tw {
namespace {

constexpr std::uint64_t kCount = 50000;

CodecRow measured(const std::string& codec, CodecData data, std::uint32_t threads = 1) {
  return CodecBench(kCount, threads).measure({codec, data, Backend::simd, 1});
}

std::vector<float> filled(CodecData data) {
  std::vector<float> values(kCount);
  Team team(1);
  fill(data, team, values);
  return values;
}

double mean_square(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) sum += static_cast<double>(value) * static_cast<double>(value);
  return sum / static_cast<double>(values.size());
}

TEST(BenchCodecs, SizeAndErrorAreTheKnownOnes) {
  const CodecRow int8 = measured("int8:block=256", CodecData::gaussian);
  EXPECT_NEAR(int8.bits_per_element, 8 + 32.0 / 256, 0.01);
  EXPECT_NEAR(int8.vnmse, 4.85e-5, 2e-6);
  const CodecRow onebit = measured("onebit:block=256+ef", CodecData::gaussian);
  EXPECT_EQ(onebit.codec, "onebit:block=256");
  EXPECT_NEAR(onebit.vnmse, 1 - 2 / 3.14159265, 0.01);
  EXPECT_NEAR(measured("onebit:block=256", CodecData::laplace).vnmse, 0.5, 0.01);
  EXPECT_NEAR(measured("topk:ratio=0.01", CodecData::sparse).vnmse, 0, 1e-12);
}

TEST(BenchCodecs, SpeedsAreThereWhereTheOpIs) {
  const CodecRow int8 = measured("int8", CodecData::ties);
  for (const double rate : {int8.encode.gbps, int8.encode_ef.value().gbps, int8.decode.gbps, int8.memcpy_gbps,
                            int8.read_gbps, int8.write_gbps, int8.encode.floor_share, int8.decode.floor_share})
    EXPECT_GT(rate, 0);
  EXPECT_FALSE(measured("identity", CodecData::ties).encode_ef.has_value());
}

TEST(BenchCodecs, ThreadsCodeTheSameBytes) {
  const CodecRow one = measured("int8", CodecData::gaussian, 1), three = measured("int8", CodecData::gaussian, 3);
  EXPECT_EQ(three.threads, 3u);
  EXPECT_EQ(one.vnmse, three.vnmse);
}

TEST(BenchCodecs, DataIsWhatItIsCalled) {
  EXPECT_NEAR(mean_square(filled(CodecData::gaussian)), 1, 0.03);
  EXPECT_NEAR(mean_square(filled(CodecData::laplace)), 2, 0.1);
  const std::vector<float> sparse = filled(CodecData::sparse), ties = filled(CodecData::ties);
  EXPECT_NEAR(static_cast<double>(std::count(sparse.begin(), sparse.end(), 0.0f)), 0.999 * kCount, 30);
  EXPECT_EQ(std::set<float>(ties.begin(), ties.end()).size(), 16u);
}

TEST(BenchCodecs, PartsCoverTheTensorAndEndOnTheGranule) {
  std::uint64_t next = 0;
  for (std::uint32_t thread = 0; thread < 7; ++thread) {
    const Part part = part_of(1000, 32, thread, 7);
    EXPECT_EQ(part.first, next);
    next = part.first + part.count;
    EXPECT_TRUE(next % 32 == 0 || next == 1000);
  }
  EXPECT_EQ(next, 1000u);
  EXPECT_EQ(part_of(1000, 0, 0, 2).count, 1000u);
  EXPECT_EQ(part_of(1000, 0, 1, 2).count, 0u);
}

int run(std::vector<const char*> words) {
  words.insert(words.begin(), {"tightwire", "bench", "codecs"});
  return run_command_line(static_cast<int>(words.size()), words.data(), command_table());
}

TEST(BenchCodecs, CommandWritesRowsAsJson) {
  testing::internal::CaptureStdout();
  ASSERT_EQ(run({"--codec", "int8", "bf16", "--data", "ties", "--count", "5000", "--rounds", "1", "--json", "-"}), 0);
  const auto json = nlohmann::json::parse(testing::internal::GetCapturedStdout());
  EXPECT_EQ(json["schema_version"], 1);
  EXPECT_TRUE(json["context"].contains("cpu"));
  ASSERT_EQ(json["results"].size(), 2u);
  for (const char* key : {"bits_per_element", "vnmse", "encode_gbps", "encode_ef_gbps", "decode_gbps", "memcpy_gbps"})
    EXPECT_TRUE(json["results"][1][key].is_number()) << key;
}

TEST(BenchCodecs, UnknownNamesAreUsageErrors) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(run({"--codec", "int9"}), kExitUsage);
  EXPECT_EQ(run({"--data", "uniform"}), kExitUsage);
  EXPECT_EQ(run({"--backend", "gpu"}), kExitUsage);
  EXPECT_EQ(run({"--device", "gpu"}), kExitUsage);
  const std::string errors = testing::internal::GetCapturedStderr();
  EXPECT_NE(errors.find("known: gaussian, laplace, sparse, ties"), std::string::npos) << errors;
}

}  // namespace
}  // namespace tw
