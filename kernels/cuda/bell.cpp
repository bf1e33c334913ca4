#include "kernels/cuda/bell.hpp"

#include <mutex>
#include <utility>

#include "kernels/cuda/error.hpp"

namespace tw::cuda {

// What the calls hold: they may come after everything else is gone. Never freed where a device failed before it made
// them: nobody can tell whether it still will.
struct Bell::State {
  std::mutex mutex;
  std::function<void()> wake;   // empty: silent
  std::uint64_t due = 0;        // calls
  std::shared_ptr<State> self;  // while there are any
};

Bell::Bell(std::uint32_t device, std::function<void()> wake) : state_(std::make_shared<State>()), stream_(device) {
  state_->wake = std::move(wake);
}

void Bell::ring_after(const Event& event) {
  {
    const std::lock_guard lock(state_->mutex);
    ++state_->due;
    state_->self = state_;
  }
  // Without the lock: where work runs when it is enqueued, the bell rings in here.
  try {
    event.precede({.device = stream_.device(), .stream = stream_.get()});
    TW_CUDA(cudaLaunchHostFunc(static_cast<cudaStream_t>(stream_.get()), ring, state_.get()));
  } catch (...) {
    const std::lock_guard lock(state_->mutex);
    if (--state_->due == 0) state_->self.reset();
    throw;
  }
}

bool Bell::due() const {
  const std::lock_guard lock(state_->mutex);
  return state_->due != 0;
}

void Bell::silence() noexcept {
  const std::lock_guard lock(state_->mutex);
  state_->wake = nullptr;
}

// On a thread of CUDA's, which may call nothing of CUDA.
void Bell::ring(void* argument) {
  auto* state = static_cast<State*>(argument);
  std::shared_ptr<State> last;  // goes after the lock
  const std::lock_guard lock(state->mutex);
  if (--state->due == 0) last = std::move(state->self);
  if (state->wake) state->wake();
}

}  // namespace tw::cuda
