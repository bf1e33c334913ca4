// The step as the trainer sees it: gradients leave in buckets while backward goes on, and the optimiser runs bucket by
// bucket as their means come back, after the vote.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <tightwire/communicator.hpp>

#include "trainer/model.hpp"
#include "trainer/placed_floats.hpp"

namespace tw::trainer {

/// One rank's side of every step. The communicator's parameters must be registered with `buckets`.
class GradientExchange {
 public:
  /// `buckets` point at the model's parameters. All three outlive this.
  GradientExchange(Communicator& communicator, Model& model, std::vector<BucketPieces> buckets);

  void begin(const StepInfo& step);
  /// The gradient of `param` is complete, in the order of the calling thread's stream where it is a device's: hands
  /// over the buckets that this completes. They leave in the plan's order, the same on every rank, whatever order
  /// gradients become ready in.
  void ready(std::uint32_t param);
  /// Gets the mean gradient of a run in `piece.data`.
  using Apply = std::function<void(const Piece& piece)>;
  /// Hands over what is left (a parameter without gradient counts as zeros), waits for the vote, and calls `apply` for
  /// every run if it says commit. Waits at most `deadline_seconds` at a time.
  StepOutcome finish(const Apply& apply, double deadline_seconds);

  /// Parameters that this rank had no gradient for, over all steps.
  std::uint64_t absent_gradients() const { return absent_gradients_; }
  /// Buckets that were handed over before the last gradient was complete, in the last step.
  std::uint32_t overlapped_buckets() const { return overlapped_; }
  std::uint32_t buckets() const { return static_cast<std::uint32_t>(buckets_.size()); }

 private:
  struct Entry {
    std::vector<Piece> pieces;
    std::vector<std::uint32_t> params;  // each once
    std::uint32_t missing = 0;          // parameters whose gradient is not complete
    Work work;
  };

  void hand_over_ready();
  void hand_over(std::uint32_t bucket);
  void prepare_zeros(std::uint32_t param);
  std::span<float> gradient_or_zeros(std::uint32_t param);

  Communicator& communicator_;
  Model& model_;
  std::vector<Entry> buckets_;
  std::vector<std::vector<std::uint32_t>> buckets_of_;  // by parameter
  std::vector<bool> is_ready_;                          // by parameter
  std::vector<PlacedFloats> zeros_;                     // by parameter, where one was ever needed
  std::uint32_t handed_over_ = 0;                       // buckets, in this step
  std::uint32_t overlapped_ = 0;
  std::uint64_t absent_gradients_ = 0;
};

}  // namespace tw::trainer
