// Pure index arithmetic of collectives: who owns which elements, who talks to whom. No bytes, no state.
#pragma once

#include <algorithm>
#include <cstdint>

#include <tightwire/types.hpp>

namespace tw {

/// Elements [first, first + count).
struct Range {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  friend bool operator==(const Range&, const Range&) = default;
};

/// Shard `shard` of `ranks` of a parameter with `count` elements, cut only at multiples of `granule` (0: never cut, all
/// of it is shard 0). Shards are contiguous, disjoint, cover the parameter, and differ by at most one granule.
constexpr Range shard_range(std::uint64_t count, std::uint64_t granule, std::uint32_t ranks, std::uint32_t shard) {
  if (granule == 0) return shard == 0 ? Range{0, count} : Range{count, 0};
  const std::uint64_t units = (count + granule - 1) / granule;
  const std::uint64_t base = units / ranks, extra = units % ranks;  // the first `extra` shards get one unit more
  const auto begin_of = [&](std::uint64_t s) { return std::min(count, (base * s + std::min(s, extra)) * granule); };
  const std::uint64_t begin = begin_of(shard);
  return {begin, begin_of(std::uint64_t{shard} + 1) - begin};
}

/// The rank that owns shard `shard` of parameter `param_id`: rotated so that small parameters spread over all ranks.
constexpr std::uint32_t owner_of_shard(std::uint32_t param_id, std::uint32_t shard, std::uint32_t ranks) {
  return (shard + param_id) % ranks;
}

/// The shard of parameter `param_id` that `rank` owns: the inverse of owner_of_shard.
constexpr std::uint32_t shard_owned_by(std::uint32_t param_id, std::uint32_t rank, std::uint32_t ranks) {
  return (rank + ranks - param_id % ranks) % ranks;
}

/// The peer of `rank` in round `round` of an all-to-all: every rank sends to one and hears from one each round.
constexpr std::uint32_t send_peer(std::uint32_t rank, std::uint32_t round, std::uint32_t ranks) {
  return (rank + round) % ranks;
}
constexpr std::uint32_t receive_peer(std::uint32_t rank, std::uint32_t round, std::uint32_t ranks) {
  return (rank + ranks - round) % ranks;
}

}  // namespace tw
