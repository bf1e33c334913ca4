// tightwire-train as a program: ranks as processes end with the parameters of ranks as threads; exit codes.
#include <gmock/gmock.h>

#include "tests/trainer/program.hpp"

namespace tw::trainer {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

TEST_F(Program, GivesTheSameParametersOverTcpAsInThreads) {
  const auto threads = summary_of({"--codec", "int8:block=32+ef", "--transport", "loopback"});
  const auto processes = summary_of({"--codec", "int8:block=32+ef", "--transport", "tcp"});
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

// With a GPU or without, this hides it; a build without CUDA says that.
TEST_F(Program, SaysWhatIsMissingForADevice) {
  const Finished finished =
      run_command({"env", "CUDA_VISIBLE_DEVICES=", TW_TEST_TRAINER, "--model", "linear", "--device", "cuda"});
  EXPECT_EQ(finished.code, 1);
  EXPECT_THAT(finished.err, AnyOf(HasSubstr("--device cuda: no CUDA driver here"),
                                  HasSubstr("--device cuda: no CUDA device here"), HasSubstr("-DTW_CUDA=ON")));
}

}  // namespace
}  // namespace tw::trainer
