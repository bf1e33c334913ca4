// Ranks as threads: how tests run one program on every member of a group.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

#include "kernels/cuda/device.hpp"

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

/// The device of a rank, where there is one: they go round.
inline std::uint32_t device_of(std::uint32_t rank) { return rank % cuda::device_count(); }

}  // namespace tw::test
