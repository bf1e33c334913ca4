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

inline constexpr unsigned kBlocksPerMultiprocessor = 16;  ///< at most; twice what can be resident, to even out

/// Enqueues `kernel` in blocks of kThreads. `items` is how many blocks could find work; where that is more than there
/// are blocks, they walk in grid strides. Enqueues nothing where there are no items. Throws CudaError where the launch
/// fails.
template <class... Parameters, class... Arguments>
void launch(const Exec& exec, void (*kernel)(Parameters...), std::uint64_t items, const Arguments&... arguments) {
  if (items == 0) return;
  const CurrentDevice current(exec.device);
  int multiprocessors = 0;
  TW_CUDA(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, static_cast<int>(exec.device)));
  const std::uint64_t most = std::uint64_t{kBlocksPerMultiprocessor} * static_cast<std::uint64_t>(multiprocessors);
  cudaLaunchConfig_t config{};
  config.gridDim = static_cast<unsigned>(std::min(items, most));
  config.blockDim = kThreads;
  config.stream = static_cast<cudaStream_t>(exec.stream);
  TW_CUDA(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...));
}

}  // namespace tw::cuda
