// Ring all-reduce for linear payloads: sums travel round the ring as they are, nothing is decoded on the way.
//
//   1. The rank after a chunk's owner encodes its gradient and sends it to the next rank, which adds its own and sends
//      the sum on, until the owner adds the last one: ((g[o+1] + g[o+2]) + ...) + g[o].
//   2. The owner divides by the ranks and sends the mean on; every rank takes it and sends the same frame on, until the
//      rank before the owner has it.
//
// Chunks follow each other round the ring, so both directions of every link are busy and encoding, adding and moving
// overlap. Every rank takes the owner's bytes, so all end bit-equal. Costs: COSTS.md. (Patarasuk and Yuan 2009.)
//
// Where gradients lie on a device and the transport sums there itself (NCCL), it is left to do so, in its own order.
#pragma once

#include "collectives/algorithm.hpp"

namespace tw {

class Ring final : public Algorithm {
 public:
  std::string_view name() const override { return "ring"; }
  std::string_view summary() const override {
    return "sums travel from neighbour to neighbour; payloads that may be summed as they are";
  }
  std::string refusal(const CodecTraits& traits) const override;
  std::uint32_t owners(std::uint32_t ranks) const override { return ranks; }
  Cost cost(const BucketPlan& plan, std::uint32_t ranks, std::uint32_t rank, Route route) const override;
  void declare_slots(State& state, const BucketPlan& plan, std::uint32_t ranks, std::uint32_t rank) const override;
  std::unique_ptr<BucketOperation> prepare(Group& group, const BucketPlan& plan) const override;
};

}  // namespace tw
