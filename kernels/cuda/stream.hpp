// A stream of our own, and waiting for one. No CUDA header, so that any file may include it.
#pragma once

#include <cstdint>

#include <tightwire/exec.hpp>

#include "kernels/base/handle.hpp"

namespace tw::cuda {

void destroy_stream(void* stream);

/// Owns a stream that does not wait for the default stream.
class Stream {
 public:
  explicit Stream(std::uint32_t device = 0);

  std::uint32_t device() const { return device_; }
  /// A cudaStream_t.
  void* get() const { return handle_.get(); }
  /// Blocks until it is done. Never throws.
  void settle() const noexcept;

 private:
  std::uint32_t device_;
  UniqueHandle<void*, destroy_stream> handle_;
};

/// Blocks until all that was enqueued on the stream of `exec` is done. Throws CudaError where some of it failed. Never
/// part of the steady state: for tests, benchmarks and shutdown.
void synchronize(const Exec& exec);

}  // namespace tw::cuda
