#include "collectives/staged_bucket.hpp"

#include <utility>
#include <vector>

#include "kernels/base/place.hpp"

namespace tw {
namespace {

class StagedBucket final : public BucketOperation {
 public:
  StagedBucket(Group& group, const BucketPlan& plan, std::unique_ptr<BucketOperation> operation)
      : group_(group), operation_(std::move(operation)) {
    for (const PlannedPiece& piece : plan.pieces())
      group.buffers.reserve(piece.range.count * bytes_of(piece.param->dtype), 1);
  }

  void start(std::span<const Piece> pieces) override;
  Progress advance() override;
  bool gradient_consumed() const override { return stage_ != Stage::leaving && operation_->gradient_consumed(); }
  Wait waiting_for() const override;

 private:
  enum class Stage : std::uint8_t { leaving, exchanged, returning };
  void copy_pieces(std::span<const Piece> from, std::span<const Piece> to, Stage stage);

  Group& group_;
  std::unique_ptr<BucketOperation> operation_;
  std::span<const Piece> pieces_;
  std::vector<Piece> on_host_;
  std::vector<Buffer> buffers_;
  Group::Mark copied_ = 0;
  Stage stage_ = Stage::leaving;
};

void StagedBucket::copy_pieces(std::span<const Piece> from, std::span<const Piece> to, Stage stage) {
  for (std::size_t i = 0; i < from.size(); ++i) {
    const TensorView &source = from[i].data, &target = to[i].data;
    if (source.data == nullptr) continue;
    copy_bytes(group_.device->exec, {static_cast<const std::byte*>(source.data), source.bytes()},
               {static_cast<std::byte*>(target.data), target.bytes()});
  }
  copied_ = group_.device->timeline.mark();
  stage_ = stage;
}

void StagedBucket::start(std::span<const Piece> pieces) {
  pieces_ = pieces;
  on_host_.assign(pieces.begin(), pieces.end());
  buffers_.clear();
  for (Piece& piece : on_host_) {
    if (piece.data.data == nullptr) continue;
    piece.data.data = buffers_.emplace_back(group_.buffers.take(piece.data.bytes())).bytes().data();
  }
  copy_pieces(pieces_, on_host_, Stage::leaving);
}

Operation::Progress StagedBucket::advance() {
  if (stage_ == Stage::leaving) {
    if (!group_.device->timeline.reached(copied_)) return Progress::waiting;
    operation_->start(on_host_);
    stage_ = Stage::exchanged;
  }
  if (stage_ == Stage::exchanged) {
    const Progress progress = operation_->advance();
    if (progress != Progress::complete) return progress;
    copy_pieces(on_host_, pieces_, Stage::returning);
  }
  if (!group_.device->timeline.reached(copied_)) return Progress::waiting;
  buffers_.clear();
  return Progress::complete;
}

Operation::Wait StagedBucket::waiting_for() const {
  if (stage_ == Stage::exchanged) return operation_->waiting_for();
  return {group_.rank(),
          stage_ == Stage::leaving ? "gradients on their way from the device" : "the mean on its way to the device"};
}

}  // namespace

std::unique_ptr<BucketOperation> staged_through_host(Group& group, const BucketPlan& plan,
                                                     std::unique_ptr<BucketOperation> operation) {
  return std::make_unique<StagedBucket>(group, plan, std::move(operation));
}

}  // namespace tw
