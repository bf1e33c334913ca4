#include "collectives/patterns.hpp"

#include <gtest/gtest.h>

namespace tw {
namespace {

TEST(Patterns, ShardsCoverDisjointlyAndAreCutAtTheGranule) {
  for (std::uint64_t count : {0u, 1u, 31u, 256u, 257u, 100003u})
    for (std::uint64_t granule : {0u, 1u, 32u, 256u})
      for (std::uint32_t ranks : {1u, 2u, 3u, 4u, 7u, 8u}) {
        std::uint64_t next = 0;
        for (std::uint32_t s = 0; s < ranks; ++s) {
          const Range range = shard_range(count, granule, ranks, s);
          if (range.count == 0) continue;
          EXPECT_EQ(range.first, next);
          if (granule != 0) {
            EXPECT_EQ(range.first % granule, 0u);
          }
          next = range.first + range.count;
        }
        EXPECT_EQ(next, count) << "granule " << granule << " ranks " << ranks;
      }
}

TEST(Patterns, ShardsDifferByAtMostOneGranule) {
  for (std::uint32_t ranks : {3u, 7u}) {
    std::uint64_t least = ~0ull, most = 0;
    for (std::uint32_t s = 0; s < ranks; ++s) {
      const auto units = (shard_range(100'000, 64, ranks, s).count + 63) / 64;
      least = std::min(least, units);
      most = std::max(most, units);
    }
    EXPECT_LE(most - least, 1u);
  }
}

TEST(Patterns, OwnerAndShardAreInverse) {
  for (std::uint32_t ranks : {1u, 2u, 5u, 8u})
    for (std::uint32_t param = 0; param < 20; ++param)
      for (std::uint32_t rank = 0; rank < ranks; ++rank)
        EXPECT_EQ(owner_of_shard(param, shard_owned_by(param, rank, ranks), ranks), rank);
}

TEST(Patterns, PeersOfARoundMatch) {
  for (std::uint32_t ranks : {2u, 3u, 8u})
    for (std::uint32_t round = 1; round < ranks; ++round)
      for (std::uint32_t rank = 0; rank < ranks; ++rank)
        EXPECT_EQ(receive_peer(send_peer(rank, round, ranks), round, ranks), rank);
}

}  // namespace
}  // namespace tw
