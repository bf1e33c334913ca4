#include "kernels/clear.hpp"

#include "kernels/cuda/launch.hpp"

namespace tw::cuda {
namespace {

constexpr std::uint64_t kWord = sizeof(uint4);

// Threads: one takes a word of 16 aligned bytes, of which it writes those that are asked for, in grid strides. Shared
// memory: none. Bytes: each written once. Deterministic: words do not meet.
struct ClearKernel {
  std::uint8_t* base;  // on a word
  std::uint64_t first, end;

  __device__ void operator()(Grid grid) const {
    for (std::uint64_t at = grid.thread() * kWord; at < end; at += grid.threads() * kWord) {
      if (at >= first && at + kWord <= end)
        *reinterpret_cast<uint4*>(base + at) = {};
      else
        for (std::uint64_t i = at; i < at + kWord; ++i)
          if (i >= first && i < end) base[i] = 0;
    }
  }
};

}  // namespace

void clear_bytes(const Exec& exec, std::span<std::byte> bytes) {
  if (bytes.empty()) return;
  const std::uint64_t first = reinterpret_cast<std::uintptr_t>(bytes.data()) % kWord, end = first + bytes.size();
  launch(exec, ClearKernel{reinterpret_cast<std::uint8_t*>(bytes.data()) - first, first, end},
         (end + kThreads * kWord - 1) / (kThreads * kWord));
}

}  // namespace tw::cuda
