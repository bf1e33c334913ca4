// How kernels are launched: on the device and stream of an Exec, with as many blocks as there is work for, alone or
// with others of a batch.
//
// A kernel is a value: its parameters, and what all threads of its blocks do with them.
//
//   struct FillKernel {
//     float* to;
//     std::uint64_t count;
//     __device__ void operator()(Grid grid) const {
//       for (std::uint64_t i = grid.thread(); i < count; i += grid.threads()) to[i] = 1.0f;
//     }
//   };
//   launch(exec, FillKernel{to, count}, (count + kThreads - 1) / kThreads);
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include <tightwire/exec.hpp>

#include "kernels/cuda/batch.hpp"
#include "kernels/cuda/device.hpp"
#include "kernels/cuda/error.hpp"

namespace tw::cuda {

inline constexpr unsigned kThreads = 256;  ///< of every block
inline constexpr unsigned kWarps = kThreads / 32;

inline constexpr unsigned kBlocksPerMultiprocessor = 16;  ///< at most; twice what can be resident, to even out

/// Of kernels in a launch: 60 tensors fit, and copying them costs little. More than 4 KB need sm_70 and CUDA 12.1.
inline constexpr std::size_t kTableBytes = 8192;

/// The blocks that work on one kernel value, in place of gridDim and blockIdx: in a batch they are part of a launch.
struct Grid {
  unsigned block, blocks;

  __device__ std::uint64_t thread() const { return std::uint64_t{block} * kThreads + threadIdx.x; }
  __device__ std::uint64_t threads() const { return std::uint64_t{blocks} * kThreads; }
};

template <class Kernel>
__global__ void __launch_bounds__(kThreads) run_one(const Kernel kernel) {
  kernel(Grid{blockIdx.x, gridDim.x});
}

/// Kernels of one type side by side: kernel i has blocks begins[i] .. begins[i + 1] - 1 of the launch. What is behind
/// the last one begins nowhere.
template <class Kernel>
struct KernelTable {
  static constexpr unsigned kMost = kTableBytes / sizeof(Kernel);
  static constexpr unsigned kLongestStep = std::bit_floor(kMost);

  unsigned begins[2 * kLongestStep];
  union {
    Kernel kernels[kMost];
  };

  KernelTable() { std::fill(std::begin(begins) + 1, std::end(begins), ~0u), begins[0] = 0; }
  void add(unsigned at, const GatheredRun& run) {
    std::memcpy(&kernels[at], run.kernel, sizeof(Kernel));
    begins[at + 1] = begins[at] + run.blocks;
  }
};

/// Each block finds its kernel in steps of halving length: the same for all of its threads, in constant memory.
template <class Kernel>
__global__ void __launch_bounds__(kThreads) run_table(const __grid_constant__ KernelTable<Kernel> table) {
  unsigned at = 0;
#pragma unroll
  for (unsigned step = table.kLongestStep; step != 0; step /= 2)
    if (table.begins[at + step] <= blockIdx.x) at += step;
  const unsigned begin = table.begins[at], end = table.begins[at + 1];
  table.kernels[at](Grid{blockIdx.x - begin, end - begin});
}

template <class Parameters>
void enqueue(const Exec& exec, void (*kernel)(Parameters), unsigned blocks, const Parameters& parameters) {
  const CurrentDevice current(exec.device);
  cudaLaunchConfig_t config{};
  config.gridDim = blocks;
  config.blockDim = kThreads;
  config.stream = static_cast<cudaStream_t>(exec.stream);
  TW_CUDA(cudaLaunchKernelEx(&config, kernel, parameters));
}

/// As many in a launch as a table holds.
template <class Kernel>
void enqueue_gathered(const Exec& exec, std::span<const GatheredRun> runs) {
  while (!runs.empty()) {
    KernelTable<Kernel> table;
    const auto count = static_cast<unsigned>(std::min<std::size_t>(runs.size(), table.kMost));
    for (unsigned i = 0; i < count; ++i) table.add(i, runs[i]);
    if (count == 1)
      enqueue(exec, run_one<Kernel>, table.begins[1], table.kernels[0]);
    else
      enqueue(exec, run_table<Kernel>, table.begins[count], table);
    runs = runs.subspan(count);
  }
}

/// Onto the current device.
template <class Kernel>
void load() {
  cudaFuncAttributes attributes;
  TW_CUDA(cudaFuncGetAttributes(&attributes, run_one<Kernel>));
  TW_CUDA(cudaFuncGetAttributes(&attributes, run_table<Kernel>));
}

template <class Kernel>
inline const KernelKind kKind{sizeof(Kernel), enqueue_gathered<Kernel>, load<Kernel>};

/// How many blocks work on `items`, of which each block takes one at a time.
inline unsigned blocks_for(const Exec& exec, std::uint64_t items) {
  int multiprocessors = 0;
  TW_CUDA(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, static_cast<int>(exec.device)));
  const std::uint64_t most = std::uint64_t{kBlocksPerMultiprocessor} * static_cast<std::uint64_t>(multiprocessors);
  return static_cast<unsigned>(std::min(items, most));
}

/// Enqueues `kernel` in blocks of kThreads, or leaves it with the batch where one is open. `items` is how many blocks
/// could find work; where that is more than there are blocks, they walk in grid strides. Blocks are as many in a batch
/// as alone. Enqueues nothing where there are no items. Throws CudaError where the launch fails.
template <class Kernel>
void launch(const Exec& exec, const Kernel& kernel, std::uint64_t items) {
  static_assert(std::is_trivially_copyable_v<Kernel>);
  if (items == 0) return;
  const unsigned blocks = blocks_for(exec, items);
  if (exec.batch != nullptr && exec.batch->is_open())
    exec.batch->add(kKind<Kernel>, {&kernel, blocks});
  else
    enqueue(exec, run_one<Kernel>, blocks, kernel);
}

}  // namespace tw::cuda
