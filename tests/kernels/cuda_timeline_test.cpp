// Calls on CUDA's threads when a stream gets somewhere: each comes once, and none to somebody who is gone.
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <optional>
#include <thread>

#include "kernels/cuda/timeline.hpp"
#include "tests/support/held_events.hpp"

namespace tw::test {
namespace {

struct StreamOfOne {
  cuda::Stream stream;
  Exec exec{.backend = Backend::cuda, .stream = stream.get()};
};

TEST(Timeline, CallsOnceAMark) {
  const StreamOfOne own;
  std::atomic<int> calls = 0;
  cuda::Timeline timeline(own.exec, [&] { ++calls; });
  HeldEvents held;
  const auto mark = timeline.mark();
  timeline.mark();
  EXPECT_FALSE(timeline.reached(mark));
  EXPECT_EQ(calls, 0);
  held.release();
  EXPECT_EQ(calls, 2);
  cuda::synchronize(own.exec);
  EXPECT_TRUE(timeline.reached(timeline.upcoming() - 1));
}

// A device that failed says so at once to those who wait for it, though a call may still be due or being made.
TEST(Timeline, NothingIsCalledOnceItHasSettled) {
  const StreamOfOne own;
  int calls = 0;
  std::optional<cuda::Timeline> timeline(std::in_place, own.exec, [&] { ++calls; });
  HeldEvents held;
  timeline->mark();
  timeline->mark();
  timeline->settle();
  timeline.reset();
  held.release();
  EXPECT_EQ(calls, 0);
}

TEST(Timeline, ACallThatIsBeingMadeIsWaitedFor) {
  const StreamOfOne own;
  std::latch called(1), settling(1);
  bool over = false;
  cuda::Timeline timeline(own.exec, [&] {
    called.count_down();
    settling.wait();
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();  // time to settle too early
    over = true;
  });
  HeldEvents held;
  timeline.mark();
  const std::jthread cuda_thread([&] { held.release(); });
  called.wait();
  settling.count_down();
  timeline.settle();
  EXPECT_TRUE(over);
}

TEST(Bell, RingsOnceEachTimeAndNeverAfterItsEnd) {
  const StreamOfOne own;
  cuda::Event event;
  event.record(own.exec);
  cuda::synchronize(own.exec);
  int rung = 0;
  std::optional<cuda::Bell> bell(std::in_place, 0, [&] { ++rung; });
  for (int times = 1; times <= 2; ++times) {
    HeldEvents held;
    bell->ring_after(event);
    EXPECT_TRUE(bell->due());
    EXPECT_EQ(rung, times - 1);
    held.release();
    EXPECT_FALSE(bell->due());
    EXPECT_EQ(rung, times);
  }
  HeldEvents held;
  bell->ring_after(event);
  bell.reset();
  held.release();
  EXPECT_EQ(rung, 2);
}

}  // namespace
}  // namespace tw::test
