// tightwire-train as a program on a small data set.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/trainer/support.hpp"
#include "tools/files.hpp"
#include "tools/process.hpp"

namespace tw::trainer {

class Program : public testing::Test {
 protected:
  Program() { write_dataset(folder.path(), small_dataset()); }

  static Finished run_command(std::vector<std::string> words) {
    return run_process({std::move(words), {}, {"TW_RANK", "TW_WORLD_SIZE", "RANK", "WORLD_SIZE"}});
  }
  static Finished run(std::vector<std::string> words) {
    words.insert(words.begin(), TW_TEST_TRAINER);
    return run_command(std::move(words));
  }
  /// What 2 ranks with the further flags `words` come to; `program` is how the trainer is started.
  nlohmann::ordered_json summary_of(const std::vector<std::string>& words,
                                    std::vector<std::string> program = {TW_TEST_TRAINER}) const {
    const std::string path = folder.path("summary.json");
    for (const std::string& word : std::vector<std::string>{"--model", "linear", "--data-dir", folder.path(), "--ranks",
                                                            "2", "--steps", "8", "--batch", "8", "--summary", path})
      program.push_back(word);
    program.insert(program.end(), words.begin(), words.end());
    const Finished finished = run_command(std::move(program));
    EXPECT_EQ(finished.code, 0) << finished.err;
    return read_json(path);
  }
  const TemporaryFolder folder;
};

}  // namespace tw::trainer
