#include "collectives/transports/nccl/flights.hpp"

#include <algorithm>

#include "kernels/base/check.hpp"

namespace tw::nccl {

bool Flight::done() const {
  if (stage_ != Stage::flying) return stage_ == Stage::landed;
  if (!event_.reached()) return false;
  (*check_)();
  stage_ = Stage::landed;
  return true;
}

void Flight::join(const Exec& exec) const {
  TW_CHECK(stage_ != Stage::lost, UsageError, "this group was lost with its transport: it cannot be joined");
  if (stage_ == Stage::flying && exec.stream != stream_) event_.precede(exec);
}

std::shared_ptr<Flight> Flights::take() {
  forget_landed();
  const auto free = std::find_if(pool_.begin(), pool_.end(), [](const auto& flight) {
    return flight.use_count() == 1 && flight->stage_ != Flight::Stage::flying;
  });
  if (free == pool_.end()) {
    pool_.push_back(std::make_shared<Flight>(device_));
    return pool_.back();
  }
  (*free)->stage_ = Flight::Stage::idle;
  (*free)->bytes.clear();
  (*free)->peers.clear();
  return *free;
}

void Flights::launch(Flight& flight, const Exec& exec) {
  flight.event_.record(exec);
  flight.stream_ = exec.stream;
  flight.check_ = &check_;
  flight.stage_ = Flight::Stage::flying;
  flying_.push_back(&flight);
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
  for (const Flight* flight : flying_) peers_.insert(peers_.end(), flight->peers.begin(), flight->peers.end());
  std::sort(peers_.begin(), peers_.end());
  peers_.erase(std::unique(peers_.begin(), peers_.end()), peers_.end());
  return peers_;
}

// For the oldest flight of each stream: an armed alarm takes no other event.
void Flights::arm() {
  for (const Flight* flight : flying_) alarm_of(flight->stream_).arm(flight->event_);
}

Alarm& Flights::alarm_of(void* stream) {
  const auto known =
      std::find_if(lanes_.begin(), lanes_.end(), [&](const Lane& lane) { return lane.stream == stream; });
  if (known != lanes_.end()) return *known->alarm;
  lanes_.push_back({stream, std::make_unique<Alarm>(sleeper_, device_)});
  return *lanes_.back().alarm;
}

void Flights::lose() noexcept {
  for (Flight* flight : flying_)
    if (flight->stage_ == Flight::Stage::flying) flight->stage_ = Flight::Stage::lost;
  flying_.clear();
}

}  // namespace tw::nccl
