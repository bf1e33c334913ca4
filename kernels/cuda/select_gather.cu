// The pass over all elements: candidates, findings, and p = values + residual.
#include "kernels/cuda/findings.hpp"
#include "kernels/cuda/places.hpp"
#include "kernels/cuda/select.hpp"

namespace tw::cuda {
namespace {

struct Plain {
  const float* values;

  __device__ void take(const Quads& quads, std::uint64_t at, ThreadQuads& p) const {
#pragma unroll
    for (unsigned j = 0; j < kTileQuads; ++j) p[j] = quads.load(values, at + 128 * j);
  }
};

struct Corrected {
  const float* values;
  const float* residual_in;
  float* residual_out;

  __device__ void take(const Quads& quads, std::uint64_t at, ThreadQuads& p) const {
    ThreadQuads residual;
#pragma unroll
    for (unsigned j = 0; j < kTileQuads; ++j) {
      p[j] = quads.load(values, at + 128 * j);
      residual[j] = quads.load(residual_in, at + 128 * j);
    }
#pragma unroll
    for (unsigned j = 0; j < kTileQuads; ++j) {
      for (unsigned i = 0; i < 4; ++i) p[j].at[i] = p[j].at[i] + residual[j].at[i];
      quads.store(residual_out, at + 128 * j, p[j]);
    }
  }
};

// A tile's candidates on their way to the list, which they reach in a row.
struct Staged {
  float values[kSelectTile];
  std::uint16_t places[kSelectTile];  // in the tile

  __device__ void put(unsigned to, unsigned mask, const WarpPlaces& at, const ThreadQuads& p) {
#pragma unroll
    for (unsigned j = 0; j < kTileQuads; ++j) {
      unsigned next = to + WarpPlaces::row(at.before, j);
#pragma unroll
      for (unsigned i = 0; i < 4; ++i) {
        if ((mask >> (4 * j + i) & 1) == 0) continue;
        values[next] = p[j].at[i];
        places[next++] = static_cast<std::uint16_t>(threadIdx.x / 32 * kWarpTile + 128 * j + 4 * lane() + i);
      }
      to += WarpPlaces::row(at.totals, j);
    }
  }
};

// Threads: a block takes tiles of 4096 elements in grid strides, a warp 512 of them in a row, a thread four quads.
// Shared memory: 24 KiB for a tile's candidates. Bytes: 4 read an element, or 8 and 4 written with a residual; 8
// written a candidate. Deterministic but for where in the list a tile's stretch begins, on which nothing depends.
template <class Source>
struct GatherKernel {
  Source source;
  Selection s;
  std::uint32_t* status;

  __device__ void operator()(Grid grid) const {
    __shared__ Staged staged;
    __shared__ unsigned warp_counts[kWarps];  // candidates, and those at the bound in the upper half
    __shared__ std::uint64_t first_of_tile;
    if (grid.block == 0 && threadIdx.x == 0) s.state->ties = s.k;
    const std::uint32_t bound = s.state->bound;
    Findings findings;
    for (std::uint64_t tile = grid.block; tile < s.tiles(); tile += grid.blocks) {
      const std::uint64_t at = tile * kSelectTile + threadIdx.x / 32 * kWarpTile + 4 * lane();
      ThreadQuads p;
      source.take(s.quads, at, p);
      unsigned mask = 0, at_bound = 0;
#pragma unroll
      for (unsigned j = 0; j < kTileQuads; ++j) {
        unsigned reached = 0, equal = 0;
        for (unsigned i = 0; i < 4; ++i) {
          findings.look(p[j].at[i]);
          reached |= (magnitude_bits(p[j].at[i]) >= bound ? 1u : 0u) << i;
          equal |= (magnitude_bits(p[j].at[i]) == bound ? 1u : 0u) << i;
        }
        mask |= (reached & s.quads.members(at + 128 * j)) << (4 * j);
        at_bound |= equal << (4 * j);
      }
      const WarpPlaces places(mask);
      const unsigned ties = __reduce_add_sync(kAllLanes, static_cast<unsigned>(__popc(mask & at_bound)));
      if (lane() == 0) warp_counts[threadIdx.x / 32] = ties << 16 | places.count();
      __syncthreads();
      unsigned before = 0, both = 0;
      for (unsigned w = 0; w < kWarps; ++w) {
        if (w < threadIdx.x / 32) before += warp_counts[w];
        both += warp_counts[w];
      }
      before &= 0xffff;
      const unsigned total = both & 0xffff, total_ties = both >> 16;
      if (threadIdx.x == 0) {
        first_of_tile = atomicAdd(&s.state->candidates, total);
        if (total_ties != 0) atomicAdd(&s.state->at_bound, total_ties);
        s.stretches[tile] = {first_of_tile, total};
        s.tile_counts[tile] = AboveAndTies{total - total_ties} << 32 | total_ties;
      }
      if (mask != 0) staged.put(before, mask, places, p);
      __syncthreads();
      if (first_of_tile + total > s.room) continue;
      const std::uint64_t first = s.quads.index(tile * kSelectTile);
      for (unsigned c = threadIdx.x; c < total; c += kThreads) {
        s.candidate_values[first_of_tile + c] = staged.values[c];
        s.candidate_indices[first_of_tile + c] = static_cast<std::uint32_t>(first + staged.places[c]);
      }
    }
    findings.report(status);
  }
};

}  // namespace

void gather_candidates(const Exec& exec, const Selection& s, const float* values, const float* residual_in,
                       float* residual_out) {
  if (residual_in == nullptr)
    launch(exec, GatherKernel<Plain>{{values}, s, exec.status}, s.tiles());
  else
    launch(exec, GatherKernel<Corrected>{{values, residual_in, residual_out}, s, exec.status}, s.tiles());
}

}  // namespace tw::cuda
