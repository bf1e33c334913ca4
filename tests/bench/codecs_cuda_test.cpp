// `bench codecs --device cuda`: the same bytes as on the CPU, and no figures where no GPU ran.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "bench/codecs_device.hpp"
#include "bench/command.hpp"

namespace tw {
namespace {

constexpr std::uint64_t kCount = 20000;

class BenchCodecsCuda : public testing::TestWithParam<const char*> {};

TEST_P(BenchCodecsCuda, CodesWhatTheCpuCodes) {
  const CodecCase one{GetParam(), CodecData::gaussian, Backend::simd, 1};
  const CodecRow host = CodecBench(kCount, 1).measure(one);
  DeviceCodecBench bench(kCount, 0);
  const CodecRow device = bench.measure(one);
  EXPECT_EQ(device.codec, host.codec);
  EXPECT_EQ(device.bits_per_element, host.bits_per_element);
  EXPECT_EQ(device.vnmse, host.vnmse);
  EXPECT_EQ(device.encode_ef.has_value(), host.encode_ef.has_value());
  EXPECT_EQ(device.timed, !bench.facts().interpreted);
  for (const double rate : {device.encode.gbps, device.decode.gbps, device.memcpy_gbps, device.encode.floor_share})
    EXPECT_TRUE(device.timed ? rate > 0 : std::isnan(rate)) << rate;
}

INSTANTIATE_TEST_SUITE_P(, BenchCodecsCuda,
                         testing::Values("identity", "bf16", "int8+ef", "onebit", "qsgd:bits=4", "topk:ratio=0.01",
                                         "randomk:ratio=0.01"));

int run(std::vector<const char*> words) {
  words.insert(words.begin(), {"tightwire", "bench", "codecs"});
  return run_command_line(static_cast<int>(words.size()), words.data(), command_table());
}

TEST(BenchCodecsCudaCommand, CommandWritesTheDeviceAndNullsForWhatNobodyTimed) {
  testing::internal::CaptureStdout();
  ASSERT_EQ(run({"--device", "cuda", "--codec", "int8", "--count", "5000", "--rounds", "1", "--json", "-"}), 0);
  const auto json = nlohmann::json::parse(testing::internal::GetCapturedStdout());
  EXPECT_EQ(json["backend"], "cuda");
  for (const char* key : {"name", "architecture", "runtime", "driver"})
    EXPECT_TRUE(json["device"].contains(key)) << key;
  const auto& row = json["results"].at(0);
  for (const char* key : {"encode_gbps", "encode_ef_gbps", "decode_gbps", "memcpy_gbps", "encode_floor_share"})
    EXPECT_EQ(row[key].is_number(), row["timed"].get<bool>()) << key;
}

TEST(BenchCodecsCudaCommand, TableHoldsNoTimesThatNobodyTook) {
  testing::internal::CaptureStdout();
  ASSERT_EQ(run({"--device", "cuda:0", "--codec", "int8", "--count", "5000", "--rounds", "1"}), 0);
  const std::string table = testing::internal::GetCapturedStdout();
  const bool interpreted = cuda::device_facts(0).interpreted;
  EXPECT_EQ(table.find("nothing is timed") != std::string::npos, interpreted) << table;
  EXPECT_EQ(table.find("nan"), std::string::npos) << table;
}

TEST(BenchCodecsCudaCommand, WhatCannotBeIsAnError) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(run({"--device", "cuda:63", "--count", "100"}), kExitFailed);
  EXPECT_EQ(run({"--device", "cuda:x"}), kExitUsage);
  EXPECT_EQ(run({"--device", "cuda", "--threads", "2"}), kExitUsage);
  const std::string errors = testing::internal::GetCapturedStderr();
  EXPECT_NE(errors.find("no CUDA device 63"), std::string::npos) << errors;
  EXPECT_NE(errors.find("cuda:N"), std::string::npos) << errors;
}

}  // namespace
}  // namespace tw
