// Every sample once an epoch over all ranks, in an order that seed and epoch fix, from any position on.
#include "trainer/sampler.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include <tightwire/error.hpp>

namespace tw::trainer {
namespace {

// What all ranks draw in `steps` steps, in the order of the sequence.
std::vector<std::uint32_t> draw(std::uint64_t samples, std::uint32_t ranks, std::uint64_t per_rank, int steps) {
  std::vector<Sampler> samplers;
  for (std::uint32_t rank = 0; rank < ranks; ++rank)
    samplers.emplace_back(Sampler::Shape{samples, rank, ranks, per_rank}, 5);
  std::vector<std::uint32_t> drawn;
  for (int step = 0; step < steps; ++step)
    for (Sampler& sampler : samplers) {
      const auto indices = sampler.next();
      drawn.insert(drawn.end(), indices.begin(), indices.end());
    }
  return drawn;
}

TEST(Sampler, GivesEverySampleOnceAnEpochWhateverTheShape) {
  struct Case {
    std::uint64_t samples;
    std::uint32_t ranks;
    std::uint64_t per_rank;
  };
  for (const Case c : {Case{100, 4, 5}, Case{101, 4, 5}, Case{7, 3, 4}, Case{1, 2, 3}, Case{60, 1, 64}}) {
    const auto drawn = draw(c.samples, c.ranks, c.per_rank, 24);
    const std::uint64_t epochs = drawn.size() / c.samples;
    ASSERT_GE(epochs, 1u);
    for (std::uint64_t epoch = 0; epoch < epochs; ++epoch) {
      const auto begin = drawn.begin() + static_cast<std::ptrdiff_t>(epoch * c.samples);
      const std::set<std::uint32_t> seen(begin, begin + static_cast<std::ptrdiff_t>(c.samples));
      EXPECT_EQ(seen.size(), c.samples);
      EXPECT_EQ(*seen.rbegin(), c.samples - 1);
    }
  }
}

TEST(Sampler, SequenceDoesNotDependOnHowRanksShareIt) {
  EXPECT_EQ(draw(50, 1, 12, 10), draw(50, 4, 3, 10));
  EXPECT_EQ(draw(50, 2, 6, 10), draw(50, 4, 3, 10));
}

TEST(Sampler, GoesOnFromAnyPosition) {
  Sampler whole({50, 1, 2, 4}, 9), resumed({50, 1, 2, 4}, 9);
  for (int i = 0; i < 9; ++i) whole.next();
  resumed.seek(whole.position());
  EXPECT_EQ(resumed.epoch(), 1u);
  for (int i = 0; i < 20; ++i) {
    const auto expected = whole.next();
    const std::vector<std::uint32_t> copy(expected.begin(), expected.end());
    const auto got = resumed.next();
    EXPECT_TRUE(std::equal(copy.begin(), copy.end(), got.begin(), got.end()));
  }
}

TEST(Sampler, OrderDependsOnSeedAndEpoch) {
  EXPECT_EQ(shuffled(1000, 1, 0), shuffled(1000, 1, 0));
  EXPECT_NE(shuffled(1000, 1, 0), shuffled(1000, 1, 1));
  EXPECT_NE(shuffled(1000, 1, 0), shuffled(1000, 2, 0));
  EXPECT_NE(shuffled(1000, std::uint64_t{1} << 32, 0), shuffled(1000, 0, 0));
}

// Each of the 24 orders of 4 samples is as likely: 4800 draws, 200 expected of each, five sigma are 69.
TEST(Sampler, ShufflesWithoutPreference) {
  std::map<std::vector<std::uint32_t>, int> seen;
  for (std::uint64_t epoch = 0; epoch < 4800; ++epoch) ++seen[shuffled(4, 3, epoch)];
  EXPECT_EQ(seen.size(), 24u);
  for (const auto& [order, count] : seen) EXPECT_NEAR(count, 200, 69);
}

TEST(Sampler, RefusesShapesThatCannotBe) {
  EXPECT_THROW(Sampler({0, 0, 1, 1}, 0), UsageError);
  EXPECT_THROW(Sampler({10, 2, 2, 1}, 0), UsageError);
  EXPECT_THROW(Sampler({10, 0, 1, 0}, 0), UsageError);
}

}  // namespace
}  // namespace tw::trainer
