// Ranks as threads: how tests run one program on every member of a group.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

namespace tw::test {

/// Runs `body(rank)` on a thread each and waits for all. What a body throws fails the test, naming the rank.
template <class Body>
void on_ranks(std::uint32_t ranks, const Body& body) {
  std::vector<std::jthread> threads;
  for (std::uint32_t rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&body, rank] {
      try {
        body(rank);
      } catch (const std::exception& error) {
        ADD_FAILURE() << "rank " << rank << ": " << error.what();
      }
    });
}

}  // namespace tw::test
