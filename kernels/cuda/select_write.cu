// The last stage of a selection: what is above the threshold and the first ones that equal it, in ascending order of
// index. Places come from counts: of each tile, summed over the tiles of a block, then over blocks.
#include "kernels/cuda/select.hpp"

namespace tw::cuda {
namespace {

constexpr std::uint64_t kTilesABlock = 2 * kWarps;

// What may be selected in a tile, ascending in index.
struct Items {
  const float* values;
  const std::uint32_t* indices;  // null: they follow `first`
  std::uint64_t first;
  unsigned count;

  __device__ std::uint32_t index(unsigned i) const {
    return indices != nullptr ? indices[i] : static_cast<std::uint32_t>(first + i);
  }
};

__device__ Items items_of(const Selection& s, bool gathered, std::uint64_t tile) {
  if (gathered) {
    const Stretch stretch = s.stretches[tile];
    return {s.candidate_values + stretch.first, s.candidate_indices + stretch.first, 0, stretch.count};
  }
  const std::uint64_t first = s.quads.clamped(tile * kSelectTile), end = s.quads.clamped((tile + 1) * kSelectTile);
  return {s.values + first, nullptr, first, static_cast<unsigned>(end - first)};
}

// The tiles of this block: as many for each, in a row.
struct BlocksTiles {
  std::uint64_t first, end;

  __device__ BlocksTiles(Grid grid, std::uint64_t tiles) {
    const std::uint64_t each = (tiles + grid.blocks - 1) / grid.blocks;
    first = grid.block * each;
    end = first + each < tiles ? first + each : tiles;
  }
};

// By a warp.
__device__ AboveAndTies count_items(const Items& items, std::uint32_t threshold) {
  unsigned above = 0, ties = 0;
#pragma unroll 4
  for (unsigned i = lane(); i < items.count; i += 32) {
    const std::uint32_t bits = magnitude_bits(items.values[i]);
    above += bits > threshold ? 1 : 0;
    ties += bits == threshold ? 1 : 0;
  }
  return AboveAndTies{__reduce_add_sync(kAllLanes, above)} << 32 | __reduce_add_sync(kAllLanes, ties);
}

// Threads: a warp takes a tile at a time of its block's; the last block sums over blocks. Shared memory: a count a
// warp. Bytes: 4 read a candidate, or an element where candidates are not gathered. Deterministic: integers are
// counted.
struct CountKernel {
  Selection s;

  __device__ void operator()(Grid grid) const {
    __shared__ AboveAndTies warp_counts[kWarps];
    const bool gathered = s.is_gathered(), known = s.is_at_bound();
    const std::uint32_t threshold = s.cut().threshold;
    const BlocksTiles tiles(grid, s.tiles());
    AboveAndTies counted = 0;
    for (std::uint64_t tile = tiles.first + threadIdx.x / 32; tile < tiles.end; tile += kWarps) {
      const AboveAndTies both = known ? s.tile_counts[tile] : count_items(items_of(s, gathered, tile), threshold);
      if (lane() == 0 && !known) s.tile_counts[tile] = both;
      counted += both;
    }
    if (lane() == 0) warp_counts[threadIdx.x / 32] = counted;
    __syncthreads();
    if (threadIdx.x == 0) {
      for (unsigned w = 1; w < kWarps; ++w) counted += warp_counts[w];
      s.block_counts[grid.block] = counted;
    }
    if (!is_last_block(grid, &s.state->finished)) return;
    AboveAndTies carried = 0;
    for (unsigned begin = 0; begin < grid.blocks; begin += kThreads) {
      const unsigned block = begin + threadIdx.x;
      const BlockSum sum = sum_before(block < grid.blocks ? __ldcg(&s.block_counts[block]) : 0);
      if (block < grid.blocks) s.block_counts[block] = carried + sum.before;
      carried += sum.total;
    }
  }
};

struct Output {
  std::uint32_t* indices;
  float* values;
  float* residual_out;  // or null
};

// By a warp. `before`: in the tiles before this one.
__device__ void write_tile(const Items& items, const Cut& cut, AboveAndTies before, const Output& out) {
  std::uint64_t above = before >> 32, ties = before & 0xffffffffu;
  const unsigned lower_lanes = (1u << lane()) - 1;
  for (unsigned row = 0; row < items.count; row += 32) {
    const unsigned i = row + lane();
    const bool is_item = i < items.count;
    const float p = is_item ? items.values[i] : 0.0f;
    const bool is_above = is_item && magnitude_bits(p) > cut.threshold;
    const bool is_tie = is_item && magnitude_bits(p) == cut.threshold;
    const unsigned all_above = __ballot_sync(kAllLanes, is_above), all_ties = __ballot_sync(kAllLanes, is_tie);
    const std::uint64_t ties_before = ties + static_cast<unsigned>(__popc(all_ties & lower_lanes));
    if (is_above || (is_tie && ties_before < cut.ties)) {
      const std::uint64_t place = above + static_cast<unsigned>(__popc(all_above & lower_lanes)) +
                                  (ties_before < cut.ties ? ties_before : cut.ties);
      const std::uint32_t index = items.index(i);
      out.indices[place] = index;
      out.values[place] = canonical(p);
      if (out.residual_out != nullptr) out.residual_out[index] = p - p;
    }
    above += static_cast<unsigned>(__popc(all_above));
    ties += static_cast<unsigned>(__popc(all_ties));
  }
}

// Threads: a warp takes a tile at a time of its block's, which are those that the block had in CountKernel. Shared
// memory: none. Bytes: 8 read a candidate (4 an element where they are not gathered, in tiles that hold any), 8 written
// a pair, and 4 with a residual. Deterministic: places depend on counts alone.
struct WriteKernel {
  Selection s;
  Output out;

  __device__ void operator()(Grid grid) const {
    const bool gathered = s.is_gathered();
    const Cut cut = s.cut();
    const unsigned warp = threadIdx.x / 32;
    const BlocksTiles tiles(grid, s.tiles());
    AboveAndTies before_round = s.block_counts[grid.block];
    for (std::uint64_t round = tiles.first; round < tiles.end; round += kWarps) {
      const AboveAndTies counts = lane() < kWarps && round + lane() < tiles.end ? s.tile_counts[round + lane()] : 0;
      AboveAndTies before = before_round;
#pragma unroll
      for (unsigned w = 0; w < kWarps; ++w) {
        const AboveAndTies other = __shfl_sync(kAllLanes, counts, static_cast<int>(w));
        if (w < warp) before += other;
        before_round += other;
      }
      const AboveAndTies mine = __shfl_sync(kAllLanes, counts, static_cast<int>(warp));
      const bool has_ties = (mine & 0xffffffffu) != 0 && (before & 0xffffffffu) < cut.ties;
      if (mine >> 32 != 0 || has_ties) write_tile(items_of(s, gathered, round + warp), cut, before, out);
    }
  }
};

}  // namespace

void write_selected(const Exec& exec, const Selection& s, SparseBody out, float* residual_out) {
  const std::uint64_t blocks = (s.tiles() + kTilesABlock - 1) / kTilesABlock;
  launch(exec, CountKernel{s}, blocks);
  launch(exec, WriteKernel{s, {out.indices.data(), out.values.data(), residual_out}}, blocks);
}

}  // namespace tw::cuda
