#include "kernels/cuda/error.hpp"

#include "kernels/base/check.hpp"
#include "kernels/base/kernel.hpp"

namespace tw {

void cuda::check(cudaError_t result, const char* call) {
  if (result == cudaSuccess) [[likely]]
    return;
  cudaGetLastError();
  TW_FAIL(CudaError, call, ": ", cudaGetErrorString(result), " (", cudaGetErrorName(result), ")");
}

void throw_no_cuda_kernel() {
  TW_FAIL(UsageError, "this op has no CUDA version; run it with Backend::simd on host memory");
}

}  // namespace tw
