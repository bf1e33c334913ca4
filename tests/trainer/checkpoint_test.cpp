// Checkpoints: N steps equal N/2, resume, N/2 bit for bit with every codec; what is torn or foreign is refused.
#include "trainer/checkpoint.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "compress/registry.hpp"
#include "tests/trainer/support.hpp"

namespace tw::trainer {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// Every codec, with feedback where it takes it.
constexpr const char* kSpecs[] = {"identity",
                                  "fp16",
                                  "bf16",
                                  "int8:block=32+ef",
                                  "onebit:block=32+ef",
                                  "qsgd:bits=4,block=32",
                                  "topk:ratio=0.1+ef",
                                  "randomk:ratio=0.2+ef"};

class Resume : public testing::TestWithParam<const char*> {
 protected:
  const Dataset dataset = small_dataset();
  const TemporaryFolder folder;
};

TEST_P(Resume, GoesOnBitForBit) {
  TrainOptions options = quick_options();
  options.codec = GetParam();
  options.schedule = "cosine";
  options.weight_decay = 0.01;
  options.steps = 14;  // over an epoch of 12
  const std::string whole = train(options, dataset, 2)[0].parameters_hash;

  TrainOptions first = options;
  first.stop_after = 7;
  first.checkpoint = folder.path("half");
  const Summary half = train(first, dataset, 2)[0];
  EXPECT_EQ(half.steps, 7u);
  EXPECT_NE(half.parameters_hash, whole);

  TrainOptions second = options;
  second.resume = folder.path("half");
  const Summary resumed = train(second, dataset, 2)[1];
  EXPECT_EQ(resumed.first_step, 7u);
  EXPECT_EQ(resumed.steps, 14u);
  EXPECT_EQ(resumed.parameters_hash, whole);
}

INSTANTIATE_TEST_SUITE_P(EveryCodec, Resume, testing::ValuesIn(kSpecs));

TEST(ResumeSpecs, LeaveNoCodecOut) {
  for (const CodecRow& row : codec_table())
    EXPECT_TRUE(std::any_of(std::begin(kSpecs), std::end(kSpecs), [&](std::string_view spec) {
      return spec.substr(0, spec.find_first_of(":+")) == row.name;
    })) << row.name;
}

class Checkpoints : public testing::Test {
 protected:
  Checkpoints() {
    options.codec = "topk:ratio=0.1+ef";
    options.checkpoint = file;
    train(options, dataset, 2);
    options.checkpoint.clear();
    options.steps = 9;
    options.resume = file;
  }
  std::string rank_file(std::uint32_t rank) const { return checkpoint_path(file, rank); }

  const Dataset dataset = small_dataset();
  const TemporaryFolder folder;
  const std::string file = folder.path("saved");
  TrainOptions options = quick_options();
};

TEST_F(Checkpoints, LeaveNothingElseBehind) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) names.push_back(entry.path().filename());
  EXPECT_THAT(names, testing::UnorderedElementsAre("saved.rank0", "saved.rank1"));
}

TEST_F(Checkpoints, ThatAreCutAnywhereAreTorn) {
  const std::vector<std::uint8_t> whole = read_bytes(rank_file(1));
  for (const std::size_t kept : {std::size_t{0}, std::size_t{7}, std::size_t{40}, whole.size() / 2, whole.size() - 1}) {
    write_bytes(rank_file(1), std::span(whole).first(kept));
    EXPECT_THAT(train_failing(options, dataset, 2)[1], HasSubstr("saved.rank1 is torn")) << kept;
  }
}

TEST_F(Checkpoints, WithAFlippedBitAreTornAndTheOtherRankHearsOfIt) {
  std::vector<std::uint8_t> bytes = read_bytes(rank_file(1));
  bytes[bytes.size() / 2] ^= 4;
  write_bytes(rank_file(1), bytes);
  const auto words = train_failing(options, dataset, 2);
  EXPECT_THAT(words[0], HasSubstr("rank 1"));
  EXPECT_THAT(words[1], HasSubstr("torn"));
}

TEST_F(Checkpoints, ThatAreMissingAreNamed) {
  std::filesystem::remove(rank_file(0));
  EXPECT_THAT(train_failing(options, dataset, 2)[0], HasSubstr("saved.rank0"));
}

TEST_F(Checkpoints, OfAnotherRankAreRefused) {
  std::filesystem::rename(rank_file(0), folder.path("swap"));
  std::filesystem::rename(rank_file(1), rank_file(0));
  std::filesystem::rename(folder.path("swap"), rank_file(1));
  for (const std::string& words : train_failing(options, dataset, 2)) EXPECT_THAT(words, HasSubstr("rank"));
}

TEST_F(Checkpoints, OfAnotherConfigurationAreRefusedWithTheFirstDifference) {
  struct Case {
    void (*change)(TrainOptions&);
    const char* words;
  };
  const Case cases[] = {
      {[](TrainOptions& o) { o.learning_rate = 0.25; }, "learning rate: 0.1' against 'learning rate: 0.25"},
      {[](TrainOptions& o) { o.codec = "topk:ratio=0.2+ef"; }, "topk:ratio=0.2"},
      {[](TrainOptions& o) { o.batch = 16; }, "batch: 8 x 1"},
      {[](TrainOptions& o) { o.exchange = false; }, "exchange"},
  };
  for (const Case& c : cases) {
    TrainOptions other = options;
    c.change(other);
    for (const std::string& words : train_failing(other, dataset, 2))
      EXPECT_THAT(words, AllOf(HasSubstr("another configuration"), HasSubstr(c.words)));
  }
}

TEST_F(Checkpoints, OfDifferentStepsAreRefused) {
  TrainOptions other = options;
  other.steps = 7;
  other.resume.clear();
  other.checkpoint = folder.path("later");
  train(other, dataset, 2);
  std::filesystem::rename(checkpoint_path(folder.path("later"), 1), rank_file(1));
  for (const std::string& words : train_failing(options, dataset, 2))
    EXPECT_THAT(words, AllOf(HasSubstr("of step 6"), HasSubstr("rank 1 of step 7")));
}

TEST_F(Checkpoints, PastTheTotalAreRefused) {
  options.steps = 5;
  for (const std::string& words : train_failing(options, dataset, 2)) EXPECT_THAT(words, HasSubstr("--steps 5"));
}

TEST_F(Checkpoints, AreWrittenEveryFewSteps) {
  TrainOptions often = options;
  often.resume.clear();
  often.checkpoint = folder.path("often");
  often.checkpoint_every = 4;
  often.hash_every = 3;
  train(often, dataset, 2);
  TrainOptions rest = options;
  rest.resume = folder.path("often");
  EXPECT_EQ(train(rest, dataset, 2)[0].first_step, 9u);
}

TEST_F(Checkpoints, ThatCannotBeWrittenAreNamed) {
  options.resume.clear();
  options.checkpoint = "/nonexistent/folder/saved";
  EXPECT_THAT(train_failing(options, dataset, 1)[0], HasSubstr("/nonexistent/folder/saved.rank0"));
}

}  // namespace
}  // namespace tw::trainer
