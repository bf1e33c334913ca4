// Where libtorch computes, in terms of Exec. No torch header, so that any source of this folder may include it.
#pragma once

#include <tightwire/exec.hpp>

namespace tw::trainer {

/// Makes the device of `exec` the one that the calling thread's libtorch allocates on. Throws UsageError where libtorch
/// was built without CUDA, and CudaError where it finds no such device.
void use_device(const Exec& exec);

/// `place` with the stream that the calling thread's work there is enqueued on.
Exec on_current_stream(const Exec& place);

}  // namespace tw::trainer
