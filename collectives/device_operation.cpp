#include "collectives/device_operation.hpp"

#include <algorithm>
#include <utility>

namespace tw {

void DeviceOperation::start(std::span<const Piece> pieces) {
  coder_.bind(pieces);
  stage_ = Stage::bound;
  consumed_ = false;
  phase_ = 0;
}

void DeviceOperation::take_rooms_ahead() {
  if (!std::exchange(has_rooms_, true)) take_rooms();
}

Operation::Progress DeviceOperation::advance() {
  if (stage_ == Stage::bound) {
    take_rooms_ahead();
    encode();
    encoded_ = group_.mark();
    stage_ = Stage::encoded;
  }
  consumed_ = group_.reached(encoded_);
  if (stage_ == Stage::encoded) return enqueue_more() ? Progress::more : Progress::waiting;
  if (!is_done()) return Progress::waiting;
  requests_.clear();
  release();
  has_rooms_ = false;
  coder_.refuse_bad_frames();
  return Progress::complete;
}

// True once all is enqueued: then it is the next bucket's turn.
bool DeviceOperation::enqueue_more() {
  if (group_.turn != plan_.bucket()) return false;
  do {
    // Not joined: whatever is encoded meanwhile, and the vote behind it, would wait for peers too.
    if (!requests_.empty() && !requests_.back().done()) return false;
  } while (exchange(phase_++) == Left::more);
  result_.record(group_.exec);
  done_ = group_.mark();
  stage_ = Stage::enqueued;
  ++group_.turn;
  return true;
}

bool DeviceOperation::is_done() {
  const auto done = [](const Request& request) { return request.done(); };
  return consumed_ && group_.reached(done_) && std::all_of(requests_.begin(), requests_.end(), done);
}

void DeviceOperation::post(std::span<const Op> ops) {
  if (!ops.empty()) requests_.push_back(group_.post_on_device(ops));
}

void DeviceOperation::sum(std::span<float> payload) {
  if (!payload.empty() && group_.ranks() > 1) requests_.push_back(group_.sum_on_device(payload));
}

Operation::Wait DeviceOperation::waiting_for() const {
  const std::string bucket = std::to_string(plan_.bucket());
  if (stage_ == Stage::encoded && group_.turn != plan_.bucket())
    return {group_.rank(), "bucket " + bucket + ", which goes after bucket " + std::to_string(group_.turn)};
  return {std::nullopt, "the device's exchange of bucket " + bucket};
}

}  // namespace tw
