// `bench all_reduce --device cuda`: the host's bytes and errors, by threads and by processes, and no figures where no
// GPU ran.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "bench/all_reduce.hpp"
#include "kernels/base/check.hpp"
#include "kernels/cuda/facts.hpp"
#include "tools/process.hpp"

namespace tw {
namespace {

class AllReduceOnDevice : public testing::TestWithParam<const char*> {
 protected:
  AllReduceResult measured_on(const std::string& device) const {
    AllReduceCase one;
    one.count = 5000;
    one.iterations = 2;
    one.warmup = 1;
    one.options.codec = GetParam();
    return measure_on_threads(2, {.transport = "loopback"}, one, parse_device(device));
  }
};

TEST_P(AllReduceOnDevice, GivesWhatTheHostGives) {
  const AllReduceResult device = measured_on("cuda"), host = measured_on("cpu");
  EXPECT_EQ(device.relative_error, host.relative_error);
  EXPECT_EQ(device.wrong, host.wrong);
  EXPECT_EQ(device.wire_bytes, host.wire_bytes);
  EXPECT_TRUE(host.timed);
  EXPECT_EQ(device.timed, !cuda::device_facts(0).interpreted);
  for (const double seconds : {device.seconds, device.median_seconds, device.lowest_seconds, device.comm_seconds})
    EXPECT_EQ(std::isnan(seconds), !device.timed);
}

INSTANTIATE_TEST_SUITE_P(, AllReduceOnDevice, testing::Values("identity", "int8+ef", "topk:ratio=0.01+ef"));

Finished bench(std::vector<std::string> words) {
  const char* const first[] = {TW_TEST_TOOL, "bench", "all_reduce", "--ranks", "2",  "-b", "4K",
                               "-e",         "4K",    "-n",         "1",       "-w", "0"};
  words.insert(words.begin(), std::begin(first), std::end(first));
  return run_process({words, {}, {"RANK", "WORLD_SIZE", "TW_RANK", "TW_WORLD_SIZE"}});
}

TEST(AllReduceOnDeviceCommand, ThreadsAndProcessesAreExactAndNameTheDevice) {
  for (const char* transport : {"loopback", "tcp"}) {
    const Finished run = bench({"--transport", transport, "--device", "cuda", "--json", "-"});
    ASSERT_EQ(run.code, 0) << transport << ": " << run.err;
    const auto json = nlohmann::json::parse(run.out);
    EXPECT_EQ(json["device"]["name"], cuda::device_facts(0).name) << transport;
    const auto& row = json["results"].at(0);
    EXPECT_EQ(row["wrong"], 0) << transport;
    for (const char* key : {"time_us", "busbw_gbps", "wire_bw_gbps", "comm_us", "time_us_median"})
      EXPECT_EQ(row[key].is_number(), row["timed"].get<bool>()) << key;
  }
}

TEST(AllReduceOnDeviceCommand, TableHoldsNoTimesThatNobodyTook) {
  const Finished run = bench({"--transport", "loopback", "--device", "cuda:0"});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_NE(run.out.find("# tensors on "), std::string::npos) << run.out;
  const bool untimed = cuda::device_facts(0).interpreted;
  EXPECT_EQ(run.out.find("nothing is timed") != std::string::npos, untimed) << run.out;
  EXPECT_EQ(run.out.find("nothing was timed") != std::string::npos, untimed) << run.out;
  EXPECT_EQ(run.out.find("nan"), std::string::npos) << run.out;
}

TEST(AllReduceOnDeviceCommand, RefusesDevicesThatAreNotThere) {
  const Finished run = bench({"--transport", "tcp", "--device", "cuda:1000"});
  EXPECT_EQ(run.code, 2);
  EXPECT_NE(run.err.find("--device cuda:1000: the devices here are cuda:0 to cuda:"), std::string::npos) << run.err;
}

TEST(AllReduceOnDeviceCommand, ATransportOfDeviceMemoryImpliesOne) {
  const Finished run = bench({"--transport", "nccl", "--threads", "2"});
  EXPECT_EQ(run.code, 2);
  EXPECT_NE(run.err.find("--threads 2 with tensors on a device"), std::string::npos) << run.err;
}

}  // namespace
}  // namespace tw
