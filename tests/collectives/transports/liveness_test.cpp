#include "collectives/transports/liveness.hpp"

#include <gtest/gtest.h>

namespace tw {
namespace {

using namespace std::chrono_literals;
using Clock = Liveness::Clock;

constexpr LivenessSettings kSettings{100ms, 500ms};
const Clock::time_point kStart = Clock::time_point(1h);

// Looks every 100 ms from `from` to `to`, hearing all of `talking` each time.
void watch(Liveness& liveness, Clock::duration from, Clock::duration to, std::vector<std::uint32_t> talking) {
  for (auto at = from; at <= to; at += 100ms) {
    for (const std::uint32_t peer : talking) liveness.heard(peer, kStart + at);
    liveness.looked(kStart + at);
  }
}

TEST(Liveness, NobodyIsSilentAtFirst) {
  Liveness liveness(0, 3, kStart, kSettings);
  EXPECT_EQ(liveness.silent(), std::nullopt);
  watch(liveness, 100ms, 500ms, {});
  EXPECT_EQ(liveness.silent(), std::nullopt);
}

TEST(Liveness, NamesThePeerThatIsNotHeard) {
  Liveness liveness(0, 3, kStart, kSettings);
  watch(liveness, 100ms, 600ms, {1});
  EXPECT_EQ(liveness.silent(), 2u);
}

TEST(Liveness, NamesTheOneUnheardForLongest) {
  Liveness liveness(2, 3, kStart, kSettings);
  watch(liveness, 100ms, 300ms, {0});
  watch(liveness, 400ms, 1500ms, {});
  EXPECT_EQ(liveness.silent(), 1u);
}

TEST(Liveness, HearingEndsSilence) {
  Liveness liveness(0, 2, kStart, kSettings);
  watch(liveness, 100ms, 900ms, {});
  EXPECT_EQ(liveness.silent(), 1u);
  liveness.heard(1, kStart + 950ms);
  EXPECT_EQ(liveness.silent(), std::nullopt);
}

TEST(Liveness, OneselfIsNeverSilent) {
  Liveness liveness(1, 2, kStart, kSettings);
  watch(liveness, 100ms, 2s, {0});
  EXPECT_EQ(liveness.silent(), std::nullopt);
}

TEST(Liveness, TimeWithoutLookingDoesNotCount) {
  Liveness liveness(0, 2, kStart, kSettings);
  watch(liveness, 100ms, 400ms, {});
  liveness.looked(kStart + 1h);  // this process was stopped for an hour
  EXPECT_EQ(liveness.silent(), std::nullopt);
  watch(liveness, 1h + 100ms, 1h + 300ms, {});
  EXPECT_EQ(liveness.silent(), 1u);
}

TEST(Liveness, WhatIsHeardAfterAGapCountsAsNow) {
  Liveness liveness(0, 3, kStart, kSettings);
  watch(liveness, 100ms, 200ms, {});
  liveness.heard(1, kStart + 1h);
  watch(liveness, 1h, 1h + 400ms, {});
  EXPECT_EQ(liveness.silent(), 2u);
  watch(liveness, 1h + 500ms, 1h + 500ms, {2});
  EXPECT_EQ(liveness.silent(), std::nullopt);
}

TEST(Liveness, LostIsSilentAtOnceAndIgnoredNever) {
  Liveness liveness(0, 3, kStart, kSettings);
  liveness.lost(2);
  EXPECT_EQ(liveness.silent(), 2u);
  liveness.ignore(2);
  watch(liveness, 100ms, 2s, {1});
  EXPECT_EQ(liveness.silent(), std::nullopt);
}

TEST(Liveness, HeartbeatsAreDueOnIdleLinksOnly) {
  Liveness liveness(0, 3, kStart, kSettings);
  EXPECT_FALSE(liveness.due(1, kStart + 99ms));
  liveness.sent(1, kStart + 50ms);
  EXPECT_EQ(liveness.next_due(), kStart + 100ms);
  EXPECT_FALSE(liveness.due(1, kStart + 100ms));
  EXPECT_TRUE(liveness.due(2, kStart + 100ms));
  liveness.sent(2, kStart + 100ms);
  EXPECT_EQ(liveness.next_due(), kStart + 150ms);
  EXPECT_FALSE(liveness.due(0, kStart + 1h));
  liveness.ignore(1);
  liveness.lost(2);
  EXPECT_EQ(liveness.next_due(), Clock::time_point::max());
}

}  // namespace
}  // namespace tw
