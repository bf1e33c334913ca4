#include "collectives/transports/nccl/flights.hpp"

#include <algorithm>

#include "kernels/base/check.hpp"

namespace tw::nccl {

bool Flight::done() const {
  if (stage_ != Stage::flying) return stage_ == Stage::landed;
  if (!(*landed_)(event_)) return false;
  stage_ = Stage::landed;
  return true;
}

void Flight::join(const Exec& exec) const {
  TW_CHECK(stage_ != Stage::lost, UsageError, "this group was lost with its transport: it cannot be joined");
  TW_CHECK(stage_ != Stage::starting, UsageError, "this group has not started: make progress before it is joined");
  if (stage_ == Stage::flying && exec.stream != stream_) event_.precede(exec);
}

std::shared_ptr<Flight> Flights::take() {
  forget_landed();
  const auto free = std::find_if(pool_.begin(), pool_.end(),
                                 [](const auto& flight) { return flight.use_count() == 1 && !flight->under_way(); });
  if (free == pool_.end()) {
    pool_.push_back(std::make_shared<Flight>(device_));
    return pool_.back();
  }
  (*free)->stage_ = Flight::Stage::idle;
  (*free)->started_ = false;
  (*free)->bytes.clear();
  (*free)->peers.clear();
  return *free;
}

void Flights::begin(Flight& flight, const Exec& exec) {
  flight.stream_ = exec.stream;
  flight.landed_ = &landed_;
  flight.stage_ = Flight::Stage::starting;
  starting_ = &flight;
}

void Flights::launch() {
  starting_->event_.record({.device = device_, .stream = starting_->stream_});
  flying_.push_back(starting_);
  starting_->stage_ = Flight::Stage::flying;
  starting_->started_ = true;
  starting_ = nullptr;
}

void Flights::skip(Flight& flight) {
  flight.stage_ = Flight::Stage::landed;
  flight.started_ = true;
}

bool Flights::look() {
  bool landed = false;
  for (const Flight* flight : flying_) landed |= flight->stage_ == Flight::Stage::flying && flight->done();
  forget_landed();
  return landed;
}

void Flights::forget_landed() {
  std::erase_if(flying_, [](const Flight* flight) { return flight->stage_ != Flight::Stage::flying; });
}

std::span<const std::uint32_t> Flights::peers() {
  peers_.clear();
  if (starting_ != nullptr) peers_ = starting_->peers;
  for (const Flight* flight : flying_) peers_.insert(peers_.end(), flight->peers.begin(), flight->peers.end());
  std::sort(peers_.begin(), peers_.end());
  peers_.erase(std::unique(peers_.begin(), peers_.end()), peers_.end());
  return peers_;
}

// For the oldest flight of each stream.
void Flights::arm() {
  for (const Flight* flight : flying_)
    if (cuda::Bell& bell = bell_of(flight->stream_); !bell.due()) bell.ring_after(flight->event_);
}

cuda::Bell& Flights::bell_of(void* stream) {
  const auto known =
      std::find_if(lanes_.begin(), lanes_.end(), [&](const Lane& lane) { return lane.stream == stream; });
  if (known != lanes_.end()) return *known->bell;
  lanes_.push_back({stream, std::make_unique<cuda::Bell>(device_, [this] { sleeper_.wake(); })});
  return *lanes_.back().bell;
}

void Flights::lose() noexcept {
  for (Flight* flight : flying_)
    if (flight->stage_ == Flight::Stage::flying) flight->stage_ = Flight::Stage::lost;
  flying_.clear();
  if (starting_ != nullptr) starting_->stage_ = Flight::Stage::lost;
  starting_ = nullptr;
}

}  // namespace tw::nccl
