#include "kernels/base/arena.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace tw {
namespace {

TEST(Arena, GivesAlignedMemoryThatDoesNotOverlap) {
  Arena arena;
  Arena::Scope scope(arena);
  auto a = scope.take<float>(3);
  auto b = scope.take<float>(100'000);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(a.data()) % Arena::kAlignment, 0u);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(b.data()) % Arena::kAlignment, 0u);
  std::fill(a.begin(), a.end(), 1.0f);
  std::fill(b.begin(), b.end(), 2.0f);
  EXPECT_EQ(a[2], 1.0f);
}

TEST(Arena, ScopesGiveBackAndTheSteadyStateReservesNothing) {
  Arena arena;
  std::size_t after_first = 0;
  for (int step = 0; step < 4; ++step) {
    Arena::Scope outer(arena);
    auto a = outer.take<std::uint32_t>(50'000);
    a[0] = 7;
    {
      Arena::Scope inner(arena);
      inner.take<std::uint64_t>(90'000);
    }
    auto b = outer.take<std::uint32_t>(10);
    b[0] = 9;
    EXPECT_EQ(a[0], 7u);
    if (step == 0) after_first = arena.reserved_bytes();
  }
  EXPECT_EQ(arena.reserved_bytes(), after_first);
}

TEST(Arena, GivesNothingBackWhileItIsHeld) {
  Arena arena;
  Arena::Scope outer(arena);
  const auto before = outer.take<std::uint32_t>(10);
  const std::uint32_t* last = nullptr;
  {
    const Arena::Hold hold(arena);
    for (std::uint32_t job = 0; job < 3; ++job) {
      Arena::Scope scope(arena);
      const auto taken = scope.take<std::uint32_t>(16);
      EXPECT_NE(taken.data(), last);
      last = taken.data();
    }
  }
  const auto behind = outer.take<std::uint32_t>(16);
  EXPECT_EQ(behind.data() - before.data(), 16);
}

}  // namespace
}  // namespace tw
