#include "kernels/cuda/timeline.hpp"

#include <chrono>
#include <thread>
#include <utility>

#include "kernels/cuda/device.hpp"
#include "kernels/cuda/error.hpp"

namespace tw::cuda {
namespace {
cudaStream_t stream_of(const Exec& exec) { return static_cast<cudaStream_t>(exec.stream); }
}  // namespace

Timeline::Timeline(const Exec& exec, std::function<void()> wake) : exec_(exec), bell_(exec.device, std::move(wake)) {}

Timeline::~Timeline() { settle(); }

void Timeline::settle() noexcept {
  cudaStreamSynchronize(stream_of(exec_));
  bell_.silence();
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
  Event& event = under_way_.back();
  event.record(exec_);
  bell_.ring_after(event);
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
