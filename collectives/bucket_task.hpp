// Between the caller's thread, which hands buckets over, and the engine's, which exchanges them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "collectives/algorithm.hpp"
#include "kernels/cuda/timeline.hpp"

namespace tw {

/// A bucket's operation, with the pieces of this step, as the engine sees it.
class BucketTask final : public Operation {
 public:
  /// `consumed` counts the buckets whose gradients are encoded; of the engine's thread.
  BucketTask(Group& group, std::unique_ptr<BucketOperation> operation, std::uint32_t& consumed)
      : group_(group), operation_(std::move(operation)), consumed_(consumed) {
    if (group.device) gradients_.emplace(group.device->exec.device);
  }

  /// Before it is submitted. On a device the gradients are there once the stream of `made_by` has come as far as now;
  /// the operation begins no sooner, so that the group's own stream never waits and others' buckets go on.
  void hand_over(std::span<const Piece> pieces, const Exec& made_by) {
    pieces_.assign(pieces.begin(), pieces.end());
    if (gradients_) gradients_->record(made_by);
    arrival_ = 0;
    stage_ = Stage::handed_over;
  }

  Progress advance() override {
    if (stage_ == Stage::handed_over) {
      if (gradients_ && !have_arrived()) return Progress::waiting;
      operation_->start(pieces_);
      stage_ = Stage::started;
    }
    const Progress progress = operation_->advance();
    if (stage_ == Stage::started && operation_->gradient_consumed()) {
      ++consumed_;
      stage_ = Stage::consumed;
      return progress == Progress::waiting ? Progress::more : progress;  // the vote may go on
    }
    return progress;
  }
  Wait waiting_for() const override {
    if (stage_ != Stage::handed_over) return operation_->waiting_for();
    return {group_.rank(), "gradients that were handed over and that their stream has not made"};
  }
  const cuda::Event* result() const override { return stage_ == Stage::handed_over ? nullptr : operation_->result(); }

 private:
  bool have_arrived() {
    cuda::Timeline& arrivals = group_.device->arrivals;
    if (arrival_ == 0) {
      gradients_->precede(arrivals.exec());
      arrival_ = arrivals.mark();
    }
    return arrivals.reached(arrival_);
  }

  enum class Stage : std::uint8_t { handed_over, started, consumed };
  Group& group_;
  std::unique_ptr<BucketOperation> operation_;
  std::uint32_t& consumed_;
  std::vector<Piece> pieces_;
  std::optional<cuda::Event> gradients_;
  cuda::Timeline::Mark arrival_ = 0;
  Stage stage_ = Stage::handed_over;
};

}  // namespace tw
