#include "trainer/gradient_exchange.hpp"

#include <algorithm>

#include "kernels/base/check.hpp"

namespace tw::trainer {

GradientExchange::GradientExchange(Communicator& communicator, Model& model, std::vector<BucketPieces> buckets)
    : communicator_(communicator),
      model_(model),
      buckets_of_(model.params().size()),
      is_ready_(model.params().size()),
      zeros_(model.params().size()) {
  for (std::uint32_t b = 0; b < buckets.size(); ++b) {
    Entry& entry = buckets_.emplace_back();
    entry.pieces = std::move(buckets[b]);
    for (const Piece& piece : entry.pieces) {
      auto& holders = buckets_of_[piece.param->id];
      if (!holders.empty() && holders.back() == b) continue;
      holders.push_back(b);
      entry.params.push_back(piece.param->id);
    }
  }
}

void GradientExchange::begin(const StepInfo& step) {
  communicator_.begin_step(step);
  for (Entry& entry : buckets_) entry.missing = static_cast<std::uint32_t>(entry.params.size());
  std::fill(is_ready_.begin(), is_ready_.end(), false);
  handed_over_ = overlapped_ = 0;
}

void GradientExchange::ready(std::uint32_t param) {
  TW_CHECK(!is_ready_[param], UsageError, "the gradient of '", model_.params()[param].name,
           "' was complete twice in one step");
  is_ready_[param] = true;
  overlapped_ = handed_over_;
  for (const std::uint32_t bucket : buckets_of_[param]) --buckets_[bucket].missing;
  hand_over_ready();
}

void GradientExchange::hand_over_ready() {
  while (handed_over_ < buckets_.size() && buckets_[handed_over_].missing == 0) hand_over(handed_over_++);
}

void GradientExchange::hand_over(std::uint32_t bucket) {
  Entry& entry = buckets_[bucket];
  for (Piece& piece : entry.pieces) piece.data.data = gradient_or_zeros(piece.param->id).data() + piece.first;
  entry.work = communicator_.all_reduce(model_.exec(), {bucket, entry.pieces});
}

// A parameter that this rank has no gradient for takes part with zeros, not with null data: the others' mean must reach
// this rank, too, or its parameters would differ.
std::span<float> GradientExchange::gradient_or_zeros(std::uint32_t param) {
  const std::span<float> gradient = model_.gradient(param);
  return gradient.empty() ? zeros_[param].span() : gradient;
}

// The last step left its mean there.
void GradientExchange::prepare_zeros(std::uint32_t param) {
  const std::uint64_t count = model_.params()[param].count();
  if (zeros_[param].count() != count)
    zeros_[param] = PlacedFloats(model_.exec(), count);
  else
    fill_zero(model_.exec(), std::as_writable_bytes(zeros_[param].span()));
}

StepOutcome GradientExchange::finish(const Apply& apply, double deadline_seconds) {
  for (std::uint32_t param = 0; param < is_ready_.size(); ++param) {
    if (is_ready_[param]) continue;
    for (const std::uint32_t bucket : buckets_of_[param]) --buckets_[bucket].missing;
    if (!model_.gradient(param).empty()) continue;
    prepare_zeros(param);
    ++absent_gradients_;
  }
  hand_over_ready();
  if (communicator_.verdict(Deadline::in(deadline_seconds)).commit)
    for (Entry& entry : buckets_) {
      entry.work.wait(Deadline::in(deadline_seconds));  // not joined: no bad frame gets into parameters
      for (const Piece& piece : entry.pieces) apply(piece);
    }
  return communicator_.end_step(Deadline::in(deadline_seconds));
}

}  // namespace tw::trainer
