// How long work on a stream took, by the device's own clock. No CUDA header, so that any file may include it.
#pragma once

#include <cstdint>

#include <tightwire/exec.hpp>

#include "kernels/base/handle.hpp"
#include "kernels/cuda/timeline.hpp"

namespace tw::cuda {

/// For benchmarks: not part of the steady state.
class Timer {
 public:
  explicit Timer(std::uint32_t device = 0);

  /// What is enqueued on the stream of `exec` between these two is timed.
  void start(const Exec& exec);
  void stop(const Exec& exec);
  /// Blocks until the stream has come to the end, and returns the seconds from the start. Throws CudaError where
  /// something before it failed, or where the timer was not started and stopped.
  double seconds();

 private:
  std::uint32_t device_;
  UniqueHandle<void*, destroy_event> begin_, end_;
};

}  // namespace tw::cuda
