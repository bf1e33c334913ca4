// scripts/demo from end to end on a small data set: six runs, their report, and nothing left behind, interrupted or
// not.
#include <gtest/gtest.h>

#include <poll.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/trainer/support.hpp"
#include "tools/files.hpp"
#include "tools/process.hpp"

namespace tw {
namespace {

class Demo : public testing::Test {
 protected:
  Demo() { trainer::write_dataset(folder_.path(), trainer::small_dataset()); }

  ProcessOptions demo(std::vector<std::string> words) const {
    std::vector<std::string> command{TW_TEST_DEMO, "--bin",        TW_TEST_BIN, "--model",          "linear",
                                     "--data-dir", folder_.path(), "--out",     folder_.path("out")};
    command.insert(command.end(), words.begin(), words.end());
    return {command, {}, {"RANK", "WORLD_SIZE", "TW_RANK", "TW_WORLD_SIZE", "TW_LAB"}};
  }

  static std::string lab_namespaces() {
    return run_process({{"sh", "-c", "ip netns list | grep twlabdemo"}, {}, {}}).out;
  }

  const trainer::TemporaryFolder folder_;
};

TEST_F(Demo, TrainsReportsAndLeavesNothing) {
  const Finished run = run_process(demo({"--steps", "3"}));
  ASSERT_EQ(run.code, 0) << run.out << run.err;
  const auto report = read_json(folder_.path("out/report.json"));
  ASSERT_EQ(report["inputs"].size(), 6u);
  EXPECT_EQ(report["verdicts"].size(), 1u);
  for (const auto& input : report["inputs"]) {
    EXPECT_EQ(input["ranks"], 4);
    EXPECT_EQ(input["steps"], 3);
    EXPECT_EQ(input["context"]["link"].get<std::string>().substr(0, 5), "1gbit");
  }
  const std::string verdict = report["verdicts"][0];
  EXPECT_NE(run.out.find(verdict), std::string::npos) << run.out;
  EXPECT_EQ(read_text(folder_.path("out/report.html")).substr(0, 15), "<!DOCTYPE html>");
}

TEST_F(Demo, RunsWithoutALab) {
  // What `id` says of somebody else.
  write_text(folder_.path("id"), "#!/bin/sh\necho 1000\n");
  std::filesystem::permissions(folder_.path("id"), std::filesystem::perms::owner_all);
  ProcessOptions options = demo({"--steps", "2"});
  options.environment["PATH"] = folder_.path() + ":" + std::getenv("PATH");
  const Finished run = run_process(options);
  ASSERT_EQ(run.code, 0) << run.out << run.err;
  EXPECT_NE(run.out.find("no lab of network hosts here"), std::string::npos) << run.out;
  const auto report = read_json(folder_.path("out/report.json"));
  EXPECT_EQ(report["inputs"][0]["transport"].get<std::string>().substr(0, 12), "rate_limited");
}

TEST_F(Demo, InterruptedTakesItsLabDown) {
  ChildProcess demo_process(demo({"--steps", "1000000"}));
  std::string out;
  std::array<char, 4096> buffer;
  const auto read_more = [&](Fd& from) {
    pollfd ready{from.get(), POLLIN, 0};
    poll(&ready, 1, -1);
    const ssize_t got = read(from.get(), buffer.data(), buffer.size());
    if (got > 0) out.append(buffer.data(), static_cast<std::size_t>(got));
    return got > 0;
  };
  while (out.find("1/6") == std::string::npos && read_more(demo_process.out())) {
  }
  const std::string lab = "twlabdemo" + std::to_string(demo_process.id());
  const bool had_lab = lab_namespaces().find(lab) != std::string::npos;
  EXPECT_TRUE(had_lab || out.find("no lab") != std::string::npos) << out;
  demo_process.signal(SIGINT);
  while (read_more(demo_process.err())) {
  }
  EXPECT_EQ(exit_code_of(demo_process.wait()), 128 + SIGINT) << out;
  EXPECT_EQ(lab_namespaces().find(lab), std::string::npos);
}

TEST_F(Demo, RefusesMisuse) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"--steps"}, {"--steps", "0"}, {"--steps", "many"}, {"--rate", "fast"}, {"--frob", "1"}, {"word"}}) {
    const Finished run = run_process(demo(words));
    EXPECT_EQ(run.code, 2) << words[0] << run.out << run.err;
  }
}

}  // namespace
}  // namespace tw
