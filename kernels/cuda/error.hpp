// TW_CUDA: calls CUDA, and throws where it fails. For files that nvcc compiles or that include CUDA's headers anyway.
#pragma once

#include <cuda_runtime_api.h>

#include <tightwire/error.hpp>

namespace tw::cuda {

/// Throws CudaError of `call` (its text) unless `result` is success. An error that CUDA does not consider final is
/// taken back, so that the next call starts afresh.
void check(cudaError_t result, const char* call);

}  // namespace tw::cuda

#define TW_CUDA(call) ::tw::cuda::check((call), #call)
