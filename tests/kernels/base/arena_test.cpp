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

}  // namespace
}  // namespace tw
