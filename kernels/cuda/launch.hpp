// How kernels are launched: on the device and stream of an Exec, with as many blocks as there is work for.
#pragma once

#include <algorithm>
#include <cstdint>

#include <tightwire/exec.hpp>

#include "kernels/cuda/device.hpp"
#include "kernels/cuda/error.hpp"

namespace tw::cuda {

inline constexpr unsigned kThreads = 256;  ///< of every block
inline constexpr unsigned kWarps = kThreads / 32;

/// Enqueues `kernel` in blocks of kThreads. `items` is how many blocks could find work: above a few dozen a
/// multiprocessor they walk in grid strides, many enough to even out, few enough that starting them costs nothing.
/// Enqueues nothing where there are no items. Throws CudaError where the launch fails.
template <class... Parameters, class... Arguments>
void launch(const Exec& exec, void (*kernel)(Parameters...), std::uint64_t items, const Arguments&... arguments) {
  constexpr std::uint64_t kBlocksPerMultiprocessor = 32;
  if (items == 0) return;
  const CurrentDevice current(exec.device);
  int multiprocessors = 0;
  TW_CUDA(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, static_cast<int>(exec.device)));
  const std::uint64_t most = kBlocksPerMultiprocessor * static_cast<std::uint64_t>(multiprocessors);
  cudaLaunchConfig_t config{};
  config.gridDim = static_cast<unsigned>(std::min(items, most));
  config.blockDim = kThreads;
  config.stream = static_cast<cudaStream_t>(exec.stream);
  TW_CUDA(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...));
}

}  // namespace tw::cuda
