#include "kernels/cuda/timer.hpp"

#include "kernels/cuda/device.hpp"
#include "kernels/cuda/error.hpp"

namespace tw::cuda {
namespace {

cudaEvent_t event_of(void* handle) { return static_cast<cudaEvent_t>(handle); }

void* make_event() {
  cudaEvent_t event = nullptr;
  TW_CUDA(cudaEventCreate(&event));
  return event;
}

void record(void* event, const Exec& exec) {
  const CurrentDevice current(exec.device);
  TW_CUDA(cudaEventRecord(event_of(event), static_cast<cudaStream_t>(exec.stream)));
}

}  // namespace

Timer::Timer(std::uint32_t device) : device_(device) {
  const CurrentDevice current(device);
  begin_.reset(make_event());
  end_.reset(make_event());
}

void Timer::start(const Exec& exec) { record(begin_.get(), exec); }
void Timer::stop(const Exec& exec) { record(end_.get(), exec); }

double Timer::seconds() {
  const CurrentDevice current(device_);
  float milliseconds = 0;
  TW_CUDA(cudaEventSynchronize(event_of(end_.get())));
  TW_CUDA(cudaEventElapsedTime(&milliseconds, event_of(begin_.get()), event_of(end_.get())));
  return static_cast<double>(milliseconds) * 1e-3;
}

}  // namespace tw::cuda
