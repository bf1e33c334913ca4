// tightwire-train as a program: ranks as processes end with the parameters of ranks as threads; exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/trainer/support.hpp"
#include "tools/files.hpp"
#include "tools/process.hpp"

namespace tw::trainer {
namespace {

using testing::HasSubstr;

class Program : public testing::Test {
 protected:
  Program() { write_dataset(folder.path(), small_dataset()); }

  Finished run(std::vector<std::string> words) const {
    words.insert(words.begin(), TW_TEST_TRAINER);
    return run_process({words, {}, {"TW_RANK", "TW_WORLD_SIZE", "RANK", "WORLD_SIZE"}});
  }
  nlohmann::ordered_json summary_of(std::vector<std::string> words) const {
    const std::string path = folder.path("summary.json");
    for (const std::string& word :
         std::vector<std::string>{"--model", "linear", "--data-dir", folder.path(), "--ranks", "2", "--steps", "8",
                                  "--batch", "8", "--codec", "int8:block=32+ef", "--summary", path})
      words.push_back(word);
    const Finished finished = run(words);
    EXPECT_EQ(finished.code, 0) << finished.err;
    return read_json(path);
  }
  const TemporaryFolder folder;
};

TEST_F(Program, GivesTheSameParametersOverTcpAsInThreads) {
  const auto threads = summary_of({"--transport", "loopback"});
  const auto processes = summary_of({"--transport", "tcp"});
  EXPECT_EQ(threads["transport"], "loopback");
  EXPECT_EQ(processes["transport"], "tcp");
  EXPECT_EQ(processes["parameters_hash"], threads["parameters_hash"]);
  EXPECT_EQ(processes["wire_bytes_per_step"], threads["wire_bytes_per_step"]);
}

TEST_F(Program, TellsBadUseFromFailure) {
  const Finished usage = run({"--codec", "int7"});
  EXPECT_EQ(usage.code, 2);
  EXPECT_THAT(usage.err, HasSubstr("tightwire-train: "));
  EXPECT_EQ(run({"--data-dir", "/nonexistent"}).code, 2);
  write_bytes(folder.path("train-labels-idx1-ubyte.gz"), {});
  const Finished torn = run({"--model", "linear", "--data-dir", folder.path()});
  EXPECT_EQ(torn.code, 1);
  EXPECT_THAT(torn.err, HasSubstr("torn"));
}

}  // namespace
}  // namespace tw::trainer
