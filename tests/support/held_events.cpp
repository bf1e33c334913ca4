#include "tests/support/held_events.hpp"

#include <dlfcn.h>

#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

namespace tw::test {

struct HeldEvents::State {
  std::mutex mutex;
  std::condition_variable changed;
  bool holding = true;
  cudaError_t answer = cudaErrorNotReady;
  std::vector<std::pair<cudaHostFn_t, void*>> callbacks;
};

namespace {

thread_local HeldEvents::State* of_this_thread = nullptr;

template <class Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace

HeldEvents::HeldEvents() : state_(new State) { of_this_thread = state_; }

HeldEvents::~HeldEvents() {
  release();
  of_this_thread = nullptr;
  delete state_;
}

void HeldEvents::wait_for_callbacks(std::size_t count) const {
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [&] { return state_->callbacks.size() >= count; });
}

void HeldEvents::answer(cudaError_t result) {
  const std::lock_guard lock(state_->mutex);
  state_->answer = result;
}

std::size_t HeldEvents::callbacks() const {
  const std::lock_guard lock(state_->mutex);
  return state_->callbacks.size();
}

void HeldEvents::release() {
  std::vector<std::pair<cudaHostFn_t, void*>> callbacks;
  {
    const std::lock_guard lock(state_->mutex);
    state_->holding = false;
    callbacks.swap(state_->callbacks);
  }
  for (const auto& [function, data] : callbacks) function(data);
}

}  // namespace tw::test

extern "C" {

cudaError_t cudaEventQuery(cudaEvent_t event) {
  if (auto* state = tw::test::of_this_thread) {
    const std::lock_guard lock(state->mutex);
    if (state->holding) return state->answer;
  }
  return tw::test::real<decltype(&cudaEventQuery)>("cudaEventQuery")(event);
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  if (auto* state = tw::test::of_this_thread) {
    const std::lock_guard lock(state->mutex);
    if (state->holding) {
      state->callbacks.emplace_back(function, data);
      state->changed.notify_all();
      return cudaSuccess;
    }
  }
  return tw::test::real<decltype(&cudaLaunchHostFunc)>("cudaLaunchHostFunc")(stream, function, data);
}

}  // extern "C"
