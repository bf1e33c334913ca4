// tightwire-train --device cuda: on a GPU where there is one, else under ptxrun. The trainer has no libtorch, which may
// bring a CUDA runtime of its own.
#include <gmock/gmock.h>

#include "kernels/base/check.hpp"
#include "tests/trainer/program.hpp"

namespace tw::trainer {
namespace {

constexpr char kOnGpu[] = "env PTXRUN_LIB=" TW_TEST_PTXRUN " " TW_TEST_ON_GPU;

class ProgramOnDevice : public Program {
 protected:
  // 2 ranks, each started by sh, which knows its words as "$@".
  nlohmann::ordered_json summary_of_script(const std::string& script, const std::vector<std::string>& words) const {
    return summary_of(words,
                      {TW_TEST_TOOL, "launch", "-n", "2", "--", "sh", "-c", script, "sh", TW_TEST_PLAIN_TRAINER});
  }
};

TEST_F(ProgramOnDevice, EndsWithTheHostsParameters) {
  const auto host = summary_of({});
  EXPECT_EQ(host["device"], "cpu");
  const auto threads =
      summary_of({"--device", "cuda"}, {"sh", "-c", detail::concat(kOnGpu, " \"$@\""), "sh", TW_TEST_PLAIN_TRAINER});
  EXPECT_EQ(threads["parameters_hash"], host["parameters_hash"]);
  EXPECT_EQ(threads["device"], "cuda:0");
  EXPECT_TRUE(threads["context"].contains("cuda"));
  const auto processes = summary_of_script(detail::concat("exec ", kOnGpu, " \"$@\" --device cuda:0"), {});
  EXPECT_EQ(processes["parameters_hash"], host["parameters_hash"]);
  EXPECT_EQ(processes["transport"], "tcp");
}

TEST_F(ProgramOnDevice, SharesAJobWithARankOnTheHost) {
  const std::string script =
      detail::concat("if [ $TW_RANK = 0 ]; then exec \"$@\"; else exec ", kOnGpu, " \"$@\" --device cuda; fi");
  for (const auto& [codec, algorithm] : {std::pair{"int8:block=32+ef", "two_shot"},
                                         {"topk:ratio=0.1+ef", "two_shot"},
                                         {"randomk:ratio=0.1+ef", "ring"}}) {
    const std::vector<std::string> words{"--codec", codec, "--algorithm", algorithm};
    const auto mixed = summary_of_script(script, words);
    EXPECT_EQ(mixed["parameters_hash"], summary_of(words)["parameters_hash"]) << codec;
    EXPECT_EQ(mixed["device"], "cpu");  // rank 0's
  }
}

}  // namespace
}  // namespace tw::trainer
