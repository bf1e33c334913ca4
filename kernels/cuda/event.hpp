// A point in a stream's order. No CUDA header, so that any file may include it.
#pragma once

#include <cstdint>

#include <tightwire/exec.hpp>

#include "kernels/base/handle.hpp"

namespace tw::cuda {

void destroy_event(void* event);

/// A point in a stream's order, set anew each time it is recorded.
class Event {
 public:
  explicit Event(std::uint32_t device = 0);

  /// The point behind all that was enqueued on the stream of `exec` so far.
  void record(const Exec& exec);
  /// True once the stream has come there, or where nothing was recorded. Throws CudaError where something before it
  /// failed.
  bool reached() const;
  /// What is enqueued on the stream of `exec` from here on comes after that point. Does not block.
  void precede(const Exec& exec) const;

 private:
  std::uint32_t device_;
  UniqueHandle<void*, destroy_event> handle_;
};

}  // namespace tw::cuda
