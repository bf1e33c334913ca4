#include "compress/state.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include <tightwire/error.hpp>

namespace tw {
namespace {

const Param kFirst{"first", 0, 1, 100, DType::f32}, kSecond{"second", 1, 1, 50, DType::f32};

float live(State& state, const Param& param, Hop hop, std::uint64_t at) {
  float value = -1;
  state.for_each([&](const State::Entry& entry) {
    if (entry.param == param.id && entry.hop == hop) value = entry.live[at - entry.first];
  });
  return value;
}

void write(State& state, const Param& param, Hop hop, std::uint64_t first, std::uint64_t count, float value) {
  const SlotView view = state.write(param, hop, "residual", first, count);
  std::fill(view.next.begin(), view.next.end(), value);
}

TEST(State, BeginsWithZeros) {
  State state;
  state.declare(kFirst, Hop::worker, "residual", 0, 100);
  const SlotView view = state.write(kFirst, Hop::worker, "residual", 0, 100);
  EXPECT_TRUE(std::all_of(view.live.begin(), view.live.end(), [](float value) { return value == 0.0f; }));
}

TEST(State, CommitSwapsWhatWasWrittenAndNothingElse) {
  State state;
  state.declare(kFirst, Hop::worker, "residual", 0, 100);
  state.declare(kFirst, Hop::owner, "residual", 25, 25);
  state.declare(kSecond, Hop::worker, "residual", 0, 50);
  write(state, kFirst, Hop::worker, 0, 40, 1.0f);
  write(state, kFirst, Hop::worker, 40, 60, 2.0f);
  EXPECT_EQ(live(state, kFirst, Hop::worker, 0), 0.0f) << "not before the commit";
  state.commit();
  EXPECT_EQ(live(state, kFirst, Hop::worker, 39), 1.0f);
  EXPECT_EQ(live(state, kFirst, Hop::worker, 40), 2.0f);
  EXPECT_EQ(live(state, kFirst, Hop::owner, 25), 0.0f);
  EXPECT_EQ(live(state, kSecond, Hop::worker, 0), 0.0f);
  write(state, kFirst, Hop::owner, 25, 25, 3.0f);
  state.commit();
  EXPECT_EQ(live(state, kFirst, Hop::owner, 49), 3.0f);
  EXPECT_EQ(live(state, kFirst, Hop::worker, 0), 1.0f) << "a slot that was not written stays";
}

TEST(State, RollbackForgets) {
  State state;
  state.declare(kFirst, Hop::worker, "residual", 0, 100);
  write(state, kFirst, Hop::worker, 0, 100, 1.0f);
  state.commit();
  write(state, kFirst, Hop::worker, 0, 100, 2.0f);
  state.rollback();
  state.commit();
  EXPECT_EQ(live(state, kFirst, Hop::worker, 7), 1.0f);
}

TEST(State, KnowsWhetherWorkWouldMeetTheSameBuffers) {
  State state;
  state.declare(kFirst, Hop::worker, "residual", 0, 100);
  state.declare(kSecond, Hop::worker, "residual", 0, 50);
  const auto first = state.watch([&] { write(state, kFirst, Hop::worker, 0, 100, 1.0f); });
  const auto both = state.watch([&] {
    write(state, kFirst, Hop::worker, 0, 100, 1.0f);
    write(state, kSecond, Hop::worker, 0, 50, 1.0f);
  });
  const auto meet = [&] { return std::pair(state.would_meet(first), state.would_meet(both)); };
  EXPECT_EQ(meet(), std::pair(true, true));
  state.rollback();
  EXPECT_EQ(meet(), std::pair(true, true));
  state.write_again(both);
  state.commit();
  EXPECT_EQ(live(state, kSecond, Hop::worker, 49), 1.0f) << "what is written again is committed";
  EXPECT_EQ(meet(), std::pair(false, false));
  state.write_again(first);
  state.commit();
  EXPECT_EQ(meet(), std::pair(true, false)) << "the second slot has been written once less";
  EXPECT_EQ(live(state, kFirst, Hop::worker, 0), 0.0f);
}

TEST(State, WatchesNoLongerThanTheWorkLasts) {
  State state;
  state.declare(kFirst, Hop::worker, "residual", 0, 100);
  EXPECT_THROW(state.watch([&] { state.write(kSecond, Hop::worker, "residual", 0, 50); }), UsageError);
  write(state, kFirst, Hop::worker, 0, 100, 1.0f);
  const auto nothing = state.watch([] {});
  state.commit();
  EXPECT_TRUE(state.would_meet(nothing));
}

TEST(State, HoldsTwoBuffersOfWhatWasDeclared) {
  State state;
  state.declare(kFirst, Hop::worker, "residual", 0, 100);
  state.declare(kFirst, Hop::worker, "residual", 0, 100);
  EXPECT_EQ(state.bytes(), 2 * 100 * sizeof(float));
}

TEST(State, SlotsBeginOnACacheLine) {
  State state;
  state.declare(kFirst, Hop::worker, "residual", 0, 100);
  const SlotView view = state.write(kFirst, Hop::worker, "residual", 0, 100);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(view.live.data()) % 64, 0u);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(view.next.data()) % 64, 0u);
}

TEST(State, RefusesWhatWasNotDeclared) {
  State state;
  state.declare(kFirst, Hop::owner, "residual", 25, 25);
  EXPECT_THROW(state.write(kFirst, Hop::worker, "residual", 25, 25), UsageError);
  EXPECT_THROW(state.write(kFirst, Hop::owner, "momentum", 25, 25), UsageError);
  EXPECT_THROW(state.write(kSecond, Hop::owner, "residual", 25, 25), UsageError);
  EXPECT_THROW(state.write(kFirst, Hop::owner, "residual", 24, 2), UsageError);
  EXPECT_THROW(state.write(kFirst, Hop::owner, "residual", 49, 2), UsageError);
  EXPECT_THROW(state.write(kFirst, Hop::owner, "residual", 51, 0), UsageError);
  EXPECT_THROW(state.declare(kFirst, Hop::owner, "residual", 25, 26), UsageError);
  EXPECT_THROW(state.declare(kFirst, Hop::owner, "residual", 24, 25), UsageError);
}

}  // namespace
}  // namespace tw
