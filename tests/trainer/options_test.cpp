// The flags: what they set, and what is refused before anything runs.
#include "trainer/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tightwire/error.hpp>

#include "trainer/model.hpp"

namespace tw::trainer {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TrainOptions parse(const std::vector<std::string>& words) { return parse_options(words).options; }

TEST(Options, AreReadFromFlags) {
  const TrainOptions o =
      parse({"--model",   "linear", "--codec",    "int8+ef", "--codec-for",  "*bias", "identity",       "--codec-for",
             "count<100", "bf16",   "--exchange", "off",     "--checksum",   "none",  "--bucket-bytes", "64K",
             "--steps",   "7",      "--ranks",    "2",       "--rank",       "1",     "--lr",           "0.5",
             "--seed",    "11",     "--schedule", "cosine",  "--accumulate", "3",     "--interface",    "eth0"});
  EXPECT_EQ(o.model, "linear");
  EXPECT_EQ(o.codec, "int8+ef");
  EXPECT_EQ(o.codec_for,
            (std::vector<std::pair<std::string, std::string>>{{"*bias", "identity"}, {"count<100", "bf16"}}));
  EXPECT_FALSE(o.exchange);
  EXPECT_FALSE(o.checksum);
  EXPECT_EQ(o.bucket_bytes, 65536u);
  EXPECT_EQ(o.steps, 7u);
  EXPECT_EQ(o.rank, 1u);
  EXPECT_EQ(o.learning_rate, 0.5);
  EXPECT_EQ(o.seed, 11u);
  EXPECT_EQ(o.accumulate, 3u);
  EXPECT_EQ(o.interface, "eth0");
}

TEST(Options, DefaultsAreTheDemosAndCutTheModelIntoBuckets) {
  const TrainOptions o = parse({});
  EXPECT_EQ(canonical_model(o.model), "mlp:hidden=2048,layers=2");
  EXPECT_EQ(o.batch, 64u);
  EXPECT_LT(o.bucket_bytes, 4u * 5824522 / 4);
  EXPECT_TRUE(o.exchange);
}

TEST(Options, CountStepsOrEpochs) {
  EXPECT_EQ(parse({"--steps", "9"}).total_steps(1000, 4), 9u);
  EXPECT_EQ(parse({"--batch", "10", "--accumulate", "2"}).total_steps(1000, 4), 13u);
  EXPECT_EQ(parse({"--batch", "10", "--epochs", "2.5"}).total_steps(1000, 5), 50u);
}

TEST(Options, HelpAndVersionAreTexts) {
  EXPECT_THAT(parse_options({"--help"}).text.value_or(""), AllOf(HasSubstr("--bucket-bytes"), HasSubstr("--resume")));
  EXPECT_THAT(parse_options({"--version"}).text.value_or(""), HasSubstr("tightwire-train 0."));
}

struct BadWords {
  std::vector<std::string> words;
  std::string message;
};
std::ostream& operator<<(std::ostream& out, const BadWords& bad) { return out << '"' << bad.message << '"'; }
class BadOptions : public testing::TestWithParam<BadWords> {};

TEST_P(BadOptions, AreRefusedWithTheReason) {
  EXPECT_THAT([] { parse(GetParam().words); }, testing::ThrowsMessage<UsageError>(HasSubstr(GetParam().message)));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadOptions,
    testing::Values(BadWords{{"--codex", "int8"}, "--codex"}, BadWords{{"--codec", "int7"}, "int8"},
                    BadWords{{"--codec", "int8:blok=3"}, "block"}, BadWords{{"--codec", "topk:ratio=2"}, "2"},
                    BadWords{{"--codec", "topk:ratio=0"}, "ratio"}, BadWords{{"--codec-for", "*"}, "--codec-for"},
                    BadWords{{"--algorithm", "star"}, "two_shot"}, BadWords{{"--model", "resnet"}, "mlp, linear"},
                    BadWords{{"--model", "mlp:width=3"}, "hidden"},
                    BadWords{{"--schedule", "linear"}, "constant, cosine"}, BadWords{{"--exchange", "maybe"}, "on"},
                    BadWords{{"--batch", "0"}, "--batch"}, BadWords{{"--accumulate", "0"}, "--accumulate"},
                    BadWords{{"--steps", "many"}, "--steps"}, BadWords{{"--steps", "3", "--epochs", "1"}, "--epochs"},
                    BadWords{{"--epochs", "-1"}, "--epochs"}, BadWords{{"--ranks", "0"}, "--ranks"},
                    BadWords{{"--rank", "1"}, "--ranks"}, BadWords{{"--rank", "2", "--ranks", "2"}, "--rank is 2"},
                    BadWords{{"--lr", "nan"}, "--lr"}, BadWords{{"--momentum", "1.5"}, "--momentum"},
                    BadWords{{"--deadline", "0"}, "--deadline"}, BadWords{{"--bucket-bytes", "0"}, "--bucket-bytes"},
                    BadWords{{"--checkpoint-every", "5"}, "--checkpoint"}, BadWords{{"--threads", "0"}, "--threads"},
                    BadWords{{"--device", "gpu"}, "--device is 'gpu'; it must be cpu, cuda or cuda:N"},
                    BadWords{{"--device", "cuda:"}, "cuda:N"}, BadWords{{"--device", "cuda:1x"}, "cuda:N"}));

}  // namespace
}  // namespace tw::trainer
