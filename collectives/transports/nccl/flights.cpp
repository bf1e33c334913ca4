#include "collectives/transports/nccl/flights.hpp"

#include <algorithm>

#include "kernels/base/check.hpp"
#include "kernels/cuda/device.hpp"
#include "kernels/cuda/error.hpp"

namespace tw::nccl {

void destroy_event(void* event) { cudaEventDestroy(static_cast<cudaEvent_t>(event)); }

Flight::Flight(std::uint32_t device) : device_(device) {
  const cuda::CurrentDevice current(device);
  cudaEvent_t event = nullptr;
  TW_CUDA(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  event_.reset(event);
}

bool Flight::done() const {
  if (stage_ != Stage::flying) return stage_ == Stage::landed;
  const cudaError_t state = cudaEventQuery(static_cast<cudaEvent_t>(event_.get()));
  if (state == cudaErrorNotReady) {
    cudaGetLastError();  // no error, but kept like one
    return false;
  }
  cuda::check(state, "cudaEventQuery(event)");
  (*check_)();
  stage_ = Stage::landed;
  return true;
}

void Flight::join(const Exec& exec) const {
  TW_CHECK(stage_ != Stage::lost, UsageError, "this group was lost with its transport: it cannot be joined");
  if (stage_ != Stage::flying || exec.stream == stream_) return;
  const cuda::CurrentDevice current(exec.device);
  TW_CUDA(cudaStreamWaitEvent(static_cast<cudaStream_t>(exec.stream), static_cast<cudaEvent_t>(event_.get()), 0));
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

void Flights::launch(Flight& flight, void* stream) {
  TW_CUDA(cudaEventRecord(static_cast<cudaEvent_t>(flight.event_.get()), static_cast<cudaStream_t>(stream)));
  flight.stream_ = stream;
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
  for (const Flight* flight : flying_) alarm_of(flight->stream_).arm(flight->event_.get());
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
