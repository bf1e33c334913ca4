// Selection from a tensor of one tile: one kernel, which looks at each element once and needs no scratch memory.
#include "kernels/cuda/cut.hpp"
#include "kernels/cuda/findings.hpp"
#include "kernels/cuda/places.hpp"

namespace tw::cuda {
namespace {

// The places of a thread's elements among those of the block, in the order of the tile.
struct TilePlaces {
  WarpPlaces in_warp;
  unsigned before;  // in the warps before

  __device__ unsigned row(unsigned j) const {
    unsigned sum = before + WarpPlaces::row(in_warp.before, j);
    for (unsigned r = 0; r < j; ++r) sum += WarpPlaces::row(in_warp.totals, r);
    return sum;
  }
};

// Threads: one block, a warp has 512 elements in a row, a thread four quads of them. Shared memory: 1 KiB of counts and
// what sums need. Bytes an element: 4 read, with feedback 8 and 4 written; 8 written a pair. Deterministic: integers
// are counted.
struct SmallKernel {
  const float* values;
  const float* residual_in;  // or null
  float* residual_out;       // or null
  Quads quads;
  std::uint32_t k;
  SparseBody out;
  std::uint32_t* status;

  __device__ void operator()(Grid) const {
    __shared__ unsigned warp_counts[kWarps];  // above the threshold, and in the upper half those that equal it
    const std::uint64_t at = threadIdx.x / 32 * kWarpTile + 4 * lane();
    TileElements tile{};
    load(at, tile);
    ThreadQuads& p = tile.p;
    Findings findings;
#pragma unroll
    for (unsigned e = 0; e < kTileElements; ++e) findings.look(p[e / 4].at[e % 4]);
    findings.report(status);
    const Cut cut = find_cut(tile, k);
    unsigned above = 0, equal = 0;
#pragma unroll
    for (unsigned e = 0; e < kTileElements; ++e) {
      const std::uint32_t bits = magnitude_bits(p[e / 4].at[e % 4]);
      above |= (bits > cut.threshold ? 1u : 0u) << e;
      equal |= (bits == cut.threshold ? 1u : 0u) << e;
    }
    above &= tile.members, equal &= tile.members;
    TilePlaces larger{WarpPlaces(above), 0}, ties{WarpPlaces(equal), 0};
    if (lane() == 0) warp_counts[threadIdx.x / 32] = ties.in_warp.count() << 16 | larger.in_warp.count();
    __syncthreads();
    for (unsigned w = 0; w < threadIdx.x / 32; ++w)
      larger.before += warp_counts[w] & 0xffff, ties.before += warp_counts[w] >> 16;
    write(at, p, above, equal, larger, ties, static_cast<unsigned>(cut.ties));
  }

 private:
  __device__ void load(std::uint64_t at, TileElements& tile) const {
    ThreadQuads residual{};
#pragma unroll
    for (unsigned j = 0; j < kTileQuads; ++j) {
      tile.p[j] = quads.load(values, at + 128 * j);
      if (residual_in != nullptr) residual[j] = quads.load(residual_in, at + 128 * j);
      tile.members |= quads.members(at + 128 * j) << (4 * j);
    }
    if (residual_in == nullptr) return;
#pragma unroll
    for (unsigned e = 0; e < kTileElements; ++e)
      tile.p[e / 4].at[e % 4] = tile.p[e / 4].at[e % 4] + residual[e / 4].at[e % 4];
  }

  __device__ void write(std::uint64_t at, ThreadQuads& p, unsigned above, unsigned equal, const TilePlaces& larger,
                        const TilePlaces& ties, unsigned most_ties) const {
#pragma unroll
    for (unsigned j = 0; j < kTileQuads; ++j) {
      unsigned larger_before = larger.row(j), ties_before = ties.row(j);
#pragma unroll
      for (unsigned i = 0; i < 4; ++i) {
        float& x = p[j].at[i];
        const bool is_above = (above >> (4 * j + i) & 1) != 0, is_tie = (equal >> (4 * j + i) & 1) != 0;
        if (is_above || (is_tie && ties_before < most_ties)) {
          const unsigned place = larger_before + (ties_before < most_ties ? ties_before : most_ties);
          out.indices[place] = static_cast<std::uint32_t>(quads.index(at + 128 * j + i));
          out.values[place] = canonical(x);
          x = x - x;
        }
        larger_before += is_above ? 1 : 0;
        ties_before += is_tie ? 1 : 0;
      }
      if (residual_out != nullptr) quads.store(residual_out, at + 128 * j, p[j]);
    }
  }
};

}  // namespace

void select_small(const Exec& exec, const Quads& quads, const float* values, const float* residual_in,
                  float* residual_out, SparseBody out) {
  const auto k = static_cast<std::uint32_t>(out.indices.size());
  launch(exec, SmallKernel{values, residual_in, residual_out, quads, k, out, exec.status}, 1);
}

}  // namespace tw::cuda
