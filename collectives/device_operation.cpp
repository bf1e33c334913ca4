#include "collectives/device_operation.hpp"

#include <algorithm>

#include "kernels/cuda/batch.hpp"

namespace tw {

void DeviceOperation::start(std::span<const Piece> pieces) {
  coder_.bind(pieces);
  stage_ = Stage::bound;
  consumed_ = false;
  phase_ = 0;
}

void DeviceOperation::take_rooms() {
  RoomCutter encoded, exchanged;
  place_encoded(encoded);
  place_exchanged(exchanged);
  RoomCutter cutter(group_.device->messages.take(encoded.used()));
  place_encoded(cutter);
  group_.device->messages.share(exchanged.used());
  share_room();
  rehearse();
}

void DeviceOperation::share_room() {
  RoomCutter cutter(group_.device->messages.shared());
  place_exchanged(cutter);
}

// Takes what scratch memory a step takes, the most where all gradients are absent. Nothing is launched or posted, or
// counted.
void DeviceOperation::rehearse() {
  const double encode_seconds = group_.counters.encode_seconds, decode_seconds = group_.counters.decode_seconds;
  const std::vector<Piece> absent = plan_.absent_pieces();
  coder_.bind(absent);
  rehearsing_ = true;
  {
    const cuda::BatchScope dropped(group_.exec);
    encode();
  }
  for (bool more = true; more; ++phase_) {
    const cuda::BatchScope dropped(group_.exec);
    more = exchange(phase_) == Left::more;
  }
  rehearsing_ = false;
  coder_.bind({});
  group_.state.rollback();
  group_.counters.encode_seconds = encode_seconds;
  group_.counters.decode_seconds = decode_seconds;
}

Operation::Progress DeviceOperation::advance() {
  if (stage_ == Stage::bound) {
    encode();
    encoded_ = group_.mark();
    stage_ = Stage::encoded;
  }
  consumed_ = group_.reached(encoded_);
  if (stage_ == Stage::encoded) return enqueue_more() ? Progress::more : Progress::waiting;
  if (!is_done()) return Progress::waiting;
  requests_.clear();
  coder_.refuse_bad_frames();
  return Progress::complete;
}

// True once all is enqueued: then it is the next bucket's turn.
bool DeviceOperation::enqueue_more() {
  if (group_.turn != plan_.bucket()) return false;
  if (phase_ == 0) share_room();
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
  if (!ops.empty() && !rehearsing_) requests_.push_back(group_.post_on_device(ops));
}

void DeviceOperation::sum(std::span<float> payload) {
  if (!payload.empty() && group_.ranks() > 1 && !rehearsing_) requests_.push_back(group_.sum_on_device(payload));
}

Operation::Wait DeviceOperation::waiting_for() const {
  const std::string bucket = std::to_string(plan_.bucket());
  if (stage_ == Stage::encoded && group_.turn != plan_.bucket())
    return {group_.rank(), "bucket " + bucket + ", which goes after bucket " + std::to_string(group_.turn)};
  return {std::nullopt, "the device's exchange of bucket " + bucket};
}

}  // namespace tw
