// All-gather and reduce: every rank sends its payloads to all, and each adds them all up by itself, in rank order. One
// step, and nothing is encoded a second time, for (ranks - 1) times the payload: for few ranks, sparse payloads and
// small buckets. Works for any payload. Costs: COSTS.md.
//
//   1. Every rank encodes each chunk of its gradient (hop worker) and sends the same frame to every peer.
//   2. Every rank decodes all frames in rank order, its own among them, into an f32 sum, and divides once by the ranks.
//
// All ranks add the same numbers in the same order, so all end bit-equal. Feedback stays at the worker.
#pragma once

#include "collectives/algorithm.hpp"

namespace tw {

class AllGatherReduce final : public Algorithm {
 public:
  std::string_view name() const override { return "all_gather_reduce"; }
  std::string_view summary() const override {
    return "everybody's payloads to everybody; for sparse payloads, small buckets and few ranks; any payload";
  }
  std::string refusal(const CodecTraits&) const override { return {}; }
  std::uint32_t owners(std::uint32_t) const override { return 1; }
  Cost cost(const BucketPlan& plan, std::uint32_t ranks, std::uint32_t rank, Route route) const override;
  void declare_slots(State& state, const BucketPlan& plan, std::uint32_t ranks, std::uint32_t rank) const override;
  std::unique_ptr<BucketOperation> prepare(Group& group, const BucketPlan& plan) const override;
};

}  // namespace tw
