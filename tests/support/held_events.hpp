// Events that seem not to be done yet, and callbacks of streams that are kept back: what a busy GPU does, on demand and
// where everything runs at once. Linking it replaces cudaEventQuery and cudaLaunchHostFunc for the program's own code.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

namespace tw::test {

/// While it lives, no event that this thread asks for is done, and callbacks that this thread enqueues are kept.
class HeldEvents {
 public:
  HeldEvents();
  ~HeldEvents();
  HeldEvents(const HeldEvents&) = delete;
  HeldEvents& operator=(const HeldEvents&) = delete;

  /// Waits until so many callbacks are kept, on any thread.
  void wait_for_callbacks(std::size_t count) const;
  /// What cudaEventQuery says from now on, until `release`.
  void answer(cudaError_t result);
  /// Callbacks that are kept now.
  std::size_t callbacks() const;
  /// Ends the holding, then runs the callbacks. Callable from any thread, once.
  void release();

  struct State;

 private:
  State* state_;
};

}  // namespace tw::test
