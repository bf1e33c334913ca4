// The definition of every all-reduce algorithm on one thread: which payloads are made, in which order they are added,
// who encodes again. No frames, chunks, buckets or transports, so what those do to the result shows.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "compress/compressor.hpp"
#include "kernels/base/arena.hpp"
#include "tests/support/exchange.hpp"

namespace tw::test {

class SerialExchange {
 public:
  /// `algorithm` by its own name: "auto" has no definition of its own.
  SerialExchange(std::string algorithm, const GroupSpec& spec);

  /// The mean of `gradients` (by rank), as every rank gets it; memories are committed. Absent tensors count as zeros.
  Tensors step(std::uint64_t step, const std::vector<Tensors>& gradients);
  /// What memories of `rank` hold, in the order of a saved state.
  std::vector<SavedSlot> slots_of(std::uint32_t rank);

 private:
  struct Rank {
    State state;
    Arena arena;
  };
  struct Shard {
    const Param* param;
    std::uint64_t first, count;
    std::uint32_t owner;
  };
  std::vector<Shard> shards_of(const Param& param) const;
  std::vector<std::byte> encode(const Shard& shard, std::uint32_t rank, Hop hop, std::vector<float> values);
  std::vector<float> decode(const Shard& shard, std::uint32_t rank, Hop hop, std::span<const std::byte> body);
  std::vector<float> mean_of(const Shard& shard, const std::vector<Tensors>& gradients);
  std::vector<float> mean_by_ring(const Shard& shard, const std::vector<std::vector<std::byte>>& bodies);

  const std::string algorithm_;
  const GroupSpec group_;
  const CompressorTable compressors_;
  std::vector<std::unique_ptr<Rank>> ranks_;
  StepInfo step_;
};

}  // namespace tw::test
