#include "collectives/transports/nccl/alarm.hpp"

#include "kernels/cuda/error.hpp"

namespace tw::nccl {

Alarm::Alarm(Transport& sleeper, std::uint32_t device) : bell_(std::make_shared<Bell>()), stream_(device) {
  bell_->sleeper = &sleeper;
}

Alarm::~Alarm() {
  const std::lock_guard lock(bell_->mutex);
  bell_->sleeper = nullptr;
}

void Alarm::arm(const cuda::Event& event) {
  {
    const std::lock_guard lock(bell_->mutex);
    if (bell_->self != nullptr) return;
    bell_->self = bell_;
  }
  // Without the lock: where work runs when it is enqueued, the bell rings in here.
  try {
    event.precede({.device = stream_.device(), .stream = stream_.get()});
    TW_CUDA(cudaLaunchHostFunc(static_cast<cudaStream_t>(stream_.get()), ring, bell_.get()));
  } catch (...) {
    const std::lock_guard lock(bell_->mutex);
    bell_->self.reset();
    throw;
  }
}

// On a thread of CUDA's, which may call nothing of CUDA.
void Alarm::ring(void* argument) {
  auto* bell = static_cast<Bell*>(argument);
  std::shared_ptr<Bell> self;
  const std::lock_guard lock(bell->mutex);
  self = std::move(bell->self);
  if (bell->sleeper != nullptr) bell->sleeper->wake();
}

}  // namespace tw::nccl
