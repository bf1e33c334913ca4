// Ops whose element i of every output depends on element i of the inputs alone. One kernel for all of them; an op is
// its arithmetic, written over either access (kernels/cuda/access.hpp):
//
//   struct Add {
//     template <class Access>
//     __device__ void operator()(Access at, Findings&, const float* x, float* y) const { ... }
//   };
//   elementwise(exec, count, Add{}, x, y);
#pragma once

#include <cstdint>

#include <cuda/std/tuple>

#include "kernels/base/operands.hpp"
#include "kernels/cuda/access.hpp"
#include "kernels/cuda/findings.hpp"
#include "kernels/cuda/launch.hpp"

namespace tw::cuda {

/// A run of elements cut into tiles that begin on 16 bytes in all its arrays, and the single ones before and behind.
struct TileCut {
  std::uint64_t head;     ///< single elements before the tiles
  std::uint64_t tiles;    ///< of WarpTile::kElements
  std::uint64_t singles;  ///< before and behind the tiles together

  __host__ __device__ std::uint64_t tile(std::uint64_t t) const { return head + t * WarpTile::kElements; }
  __host__ __device__ std::uint64_t single(std::uint64_t s) const { return s < head ? s : tile(tiles) + (s - head); }
};

/// No tiles where the arrays are never on 16 bytes at the same element: views at odd offsets into different tensors.
template <class... T>
TileCut cut_into_tiles(std::uint64_t count, const T*... arrays) {
  constexpr std::uint64_t kBytes = 16, kPeriod = kBytes / 2;  // elements after which alignments repeat, down to 2 bytes
  const auto aligned = [](const auto* address) { return reinterpret_cast<std::uintptr_t>(address) % kBytes == 0; };
  std::uint64_t head = 0;
  while (head < kPeriod && !(aligned(arrays + head) && ...)) ++head;
  if (head == kPeriod || head > count) return {count, 0, count};
  const std::uint64_t tiles = (count - head) / WarpTile::kElements;
  return {head, tiles, count - tiles * WarpTile::kElements};
}

/// Threads: a warp takes tiles, then its lanes single elements, in grid strides. Shared memory: none. Bytes: each
/// element of each array once. Deterministic: elements do not meet.
template <class Op, class... Arrays>
struct ElementwiseKernel {
  Op op;
  TileCut cut;
  std::uint32_t* status;
  ::cuda::std::tuple<Arrays...> arrays;

  __device__ void operator()(Grid grid) const {
    Findings findings;
    for (std::uint64_t t = grid.thread() / 32; t < cut.tiles; t += grid.threads() / 32)
      on(WarpTile(cut.tile(t)), findings);
    for (std::uint64_t s = grid.thread(); s < cut.singles; s += grid.threads()) on(OneElement(cut.single(s)), findings);
    findings.report(status);
  }

 private:
  template <class Access>
  __device__ void on(Access at, Findings& findings) const {
    ::cuda::std::apply([&](auto... each) { op(at, findings, each...); }, arrays);
  }
};

/// Enqueues op(access, findings, arrays...) for all of `count` elements. `arrays` are all that the op accesses by
/// element; what else it needs (a divisor, a tensor that it gathers from) are members of `op`.
template <class Op, class... T>
void elementwise(const Exec& exec, std::uint64_t count, const Op& op, T*... arrays) {
  const TileCut cut = cut_into_tiles(count, arrays...);
  const std::uint64_t blocks = std::max((cut.tiles + kWarps - 1) / kWarps, (cut.singles + kThreads - 1) / kThreads);
  launch(exec, ElementwiseKernel<Op, T*...>{op, cut, exec.status, {arrays...}}, blocks);
}

/// out = value, or out + value, as `combine` says. `value(i)` is the thread's i-th.
template <class Access, class Value>
__device__ void blend(Access at, Combine combine, float* out, Value value) {
  Elements<float, Access::kCount> result;
  if (combine == Combine::add) {
    const auto there = at.load(out);
    for (int i = 0; i < at.kCount; ++i) result[i] = there[i] + value(i);
  } else {
    for (int i = 0; i < at.kCount; ++i) result[i] = value(i);
  }
  at.store(out, result);
}

}  // namespace tw::cuda
