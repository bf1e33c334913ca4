#include "kernels/cuda/timeline.hpp"

#include <chrono>
#include <thread>
#include <utility>

#include "kernels/cuda/device.hpp"
#include "kernels/cuda/error.hpp"

namespace tw::cuda {
namespace {
cudaEvent_t event_of(void* handle) { return static_cast<cudaEvent_t>(handle); }
cudaStream_t stream_of(const Exec& exec) { return static_cast<cudaStream_t>(exec.stream); }
}  // namespace

void destroy_event(void* event) { cudaEventDestroy(event_of(event)); }

Event::Event(std::uint32_t device) : device_(device) {
  const CurrentDevice current(device);
  cudaEvent_t event = nullptr;
  TW_CUDA(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  handle_.reset(event);
}

void Event::record(const Exec& exec) {
  const CurrentDevice current(exec.device);
  TW_CUDA(cudaEventRecord(event_of(handle_.get()), stream_of(exec)));
}

bool Event::reached() const {
  const cudaError_t result = cudaEventQuery(event_of(handle_.get()));
  if (result == cudaErrorNotReady) {
    cudaGetLastError();  // or the next check of a launch would find it
    return false;
  }
  TW_CUDA(result);
  return true;
}

void Event::precede(const Exec& exec) const {
  const CurrentDevice current(exec.device);
  TW_CUDA(cudaStreamWaitEvent(stream_of(exec), event_of(handle_.get()), 0));
}

Timeline::Timeline(const Exec& exec, std::function<void()> wake)
    : exec_(exec), calls_(exec.device), wake_(std::move(wake)) {}

Timeline::~Timeline() { settle(); }

void Timeline::settle() noexcept {
  cudaStreamSynchronize(stream_of(exec_));
  cudaStreamSynchronize(static_cast<cudaStream_t>(calls_.get()));
}

void Timeline::settle(double seconds) noexcept {
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (cudaStreamQuery(stream_of(exec_)) == cudaErrorNotReady && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // there is no waiting with a deadline
  cudaGetLastError();
}

Timeline::Mark Timeline::mark() {
  if (free_.empty()) free_.emplace_back(exec_.device);
  under_way_.push_back(std::move(free_.back()));
  free_.pop_back();
  const Event& event = under_way_.back();
  under_way_.back().record(exec_);
  Exec calls = exec_;
  calls.stream = calls_.get();
  event.precede(calls);
  const auto call = [](void* wake) { (*static_cast<std::function<void()>*>(wake))(); };
  TW_CUDA(cudaLaunchHostFunc(stream_of(calls), call, &wake_));
  return ++made_;
}

bool Timeline::reached(Mark mark) {
  while (reached_ < mark && !under_way_.empty() && under_way_.front().reached()) {
    free_.push_back(std::move(under_way_.front()));
    under_way_.pop_front();
    ++reached_;
  }
  return reached_ >= mark;
}

}  // namespace tw::cuda
