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

  /// Before it is submitted. On a device the gradients are there once the stream of `made_by` has come as far as now.
  void hand_over(std::span<const Piece> pieces, const Exec& made_by) {
    pieces_.assign(pieces.begin(), pieces.end());
    if (gradients_) gradients_->record(made_by);
    stage_ = Stage::handed_over;
  }

  Progress advance() override {
    if (stage_ == Stage::handed_over) {
      if (gradients_) gradients_->precede(group_.device->exec);
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
    return stage_ == Stage::handed_over ? Wait{0, "a bucket that was not begun"} : operation_->waiting_for();
  }

 private:
  enum class Stage : std::uint8_t { handed_over, started, consumed };
  Group& group_;
  std::unique_ptr<BucketOperation> operation_;
  std::uint32_t& consumed_;
  std::vector<Piece> pieces_;
  std::optional<cuda::Event> gradients_;
  Stage stage_ = Stage::handed_over;
};

}  // namespace tw
