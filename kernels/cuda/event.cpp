#include "kernels/cuda/event.hpp"

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

}  // namespace tw::cuda
