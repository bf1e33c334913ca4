// Two-shot all-reduce: a reduce-scatter and an all-gather, both by direct messages to every peer. Works for any
// payload.
//
//   1. Every rank encodes each chunk of its gradient (hop worker) and sends it to the chunk's owner.
//   2. The owner decodes the frames in rank order, its own among them, into an f32 sum, and divides once by the ranks.
//   3. The owner encodes the mean (hop owner), sends the same frame to every peer, and decodes it itself.
//
// So a rank's mean never depends on who decoded what: all ranks end bit-equal. Costs: COSTS.md.
#pragma once

#include "collectives/algorithm.hpp"

namespace tw {

class TwoShot final : public Algorithm {
 public:
  std::string_view name() const override { return "two_shot"; }
  std::string_view summary() const override {
    return "reduce-scatter and all-gather by direct messages; owners re-encode the mean; any payload";
  }
  std::string refusal(const CodecTraits&) const override { return {}; }
  std::uint32_t owners(std::uint32_t ranks) const override { return ranks; }
  Cost cost(const BucketPlan& plan, std::uint32_t ranks, std::uint32_t rank, Route route) const override;
  void declare_slots(State& state, const BucketPlan& plan, std::uint32_t ranks, std::uint32_t rank) const override;
  std::unique_ptr<BucketOperation> prepare(Group& group, const BucketPlan& plan) const override;
};

}  // namespace tw
