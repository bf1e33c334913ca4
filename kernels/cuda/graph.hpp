// Work that is enqueued once and launched many times, as a whole. No CUDA header, so that any file may include it.
#pragma once

#include <functional>

#include <tightwire/exec.hpp>

#include "kernels/base/handle.hpp"

namespace tw::cuda {

void destroy_graph(void* graph);

/// What `work` enqueued, with the addresses it was given: what it works on must stay where it is.
class Graph {
 public:
  /// Runs `work`, whose enqueuing on the stream of `exec` is recorded, not done. That is no default stream, and `work`
  /// neither allocates nor waits: run it once before, so that scratch memory has grown and code is loaded. Throws what
  /// `work` threw, and CudaError where something of it cannot be recorded.
  Graph(const Exec& exec, const std::function<void()>& work);

  /// Enqueues all of it on the stream of `exec`.
  void launch(const Exec& exec) const;

 private:
  UniqueHandle<void*, destroy_graph> handle_;
};

}  // namespace tw::cuda
