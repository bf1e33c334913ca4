#include "kernels/clear.hpp"

#include "kernels/cuda/launch.hpp"

namespace tw::cuda {
namespace {

constexpr std::uint64_t kWord = sizeof(uint4);

// Threads: one takes a word of 16 aligned bytes, of which it writes those that are asked for, in grid strides. Shared
// memory: none. Bytes: each written once. Deterministic: words do not meet.
__global__ void __launch_bounds__(kThreads)
    clear_kernel(std::uint8_t* const base, const std::uint64_t first, const std::uint64_t end) {
  const std::uint64_t threads = std::uint64_t{gridDim.x} * kThreads;
  std::uint64_t at = (std::uint64_t{blockIdx.x} * kThreads + threadIdx.x) * kWord;
  for (; at < end; at += threads * kWord) {
    if (at >= first && at + kWord <= end)
      *reinterpret_cast<uint4*>(base + at) = {};
    else
      for (std::uint64_t i = at; i < at + kWord; ++i)
        if (i >= first && i < end) base[i] = 0;
  }
}

}  // namespace

void clear_bytes(const Exec& exec, std::span<std::byte> bytes) {
  if (bytes.empty()) return;
  const std::uint64_t first = reinterpret_cast<std::uintptr_t>(bytes.data()) % kWord, end = first + bytes.size();
  launch(exec, clear_kernel, (end + kThreads * kWord - 1) / (kThreads * kWord),
         reinterpret_cast<std::uint8_t*>(bytes.data()) - first, first, end);
}

}  // namespace tw::cuda
