// The threshold of a selection: a bound from a sample, and the exact one from three digits of the candidates, or of all
// elements where these are not the candidates that hold what is selected.
#include <cmath>

#include "kernels/cuda/cut.hpp"
#include "kernels/cuda/select.hpp"
#include "kernels/math/strata.hpp"

namespace tw::cuda {
namespace {

constexpr std::uint64_t kLine = 32;          // elements of a sample's line: 128 bytes, a warp's access
constexpr std::uint64_t kLinesABlock = 128;  // as many as make clearing the histogram worth it
constexpr std::uint64_t kTilesABlock = 4;    // the same, and blocks that find no candidates cost little
static_assert(kTilesABlock * kSelectTile == kFew);
constexpr std::uint64_t kShare = 32, kFewestLines = 128, kMostLines = 2048;

struct Sample {
  const float* values;
  const float* residual_in;  // or null
  std::uint64_t lines, all_lines;
  std::uint64_t rank;  // in the sample, of the bound

  __device__ float at(std::uint64_t i) const { return residual_in == nullptr ? values[i] : values[i] + residual_in[i]; }
};

// The middle bits of a multiple of the golden ratio: lines at no fixed distance.
__device__ std::uint32_t scrambled(std::uint64_t j) {
  return static_cast<std::uint32_t>((j + 1) * 0x9E3779B97F4A7C15u >> 24);
}

// Threads: a warp reads lines, one in each stratum of the run, in grid strides; the last block finds the bound. Shared
// memory: 16 KiB of counts. Bytes: those of the sample, 1/32 of the elements' and at most 2^16 elements. Deterministic:
// integers are counted.
struct SampleKernel {
  Sample sample;
  SelectState* state;

  __device__ void operator()(Grid grid) const {
    __shared__ DigitCounts<HighDigit> counts;
    counts.clear();
    __syncthreads();
    for (std::uint64_t j = grid.thread() / 32; j < sample.lines; j += grid.threads() / 32) {
      const std::uint64_t line = drawn(stratum(j, sample.lines, sample.all_lines), scrambled(j));
      counts.add(magnitude_bits(sample.at(line * kLine + lane())));
    }
    __syncthreads();
    const auto found = [&](unsigned digit, std::uint64_t) { state->bound = digit << HighDigit::kShift; };
    if (grid.blocks == 1) return find_digit<HighDigit>(counts, sample.rank, found);
    counts.add_to(state->totals);
    if (is_last_block(grid, &state->finished)) find_digit<HighDigit>(Totals{state->totals}, sample.rank, found);
  }
};

// A thread's elements of a list.
struct Few {
  const float* values;
  std::uint64_t count;

  template <class Look>
  __device__ void each(Look look) const {
    const Quads quads(values, count);
    for (std::uint64_t tile = 0; tile < quads.end(); tile += kSelectTile) {
      TileElements elements{};
#pragma unroll
      for (unsigned j = 0; j < kTileQuads; ++j) {
        const std::uint64_t at = tile + 4 * (j * kThreads + threadIdx.x);
        elements.p[j] = quads.load(values, at);
        elements.members |= quads.members(at) << (4 * j);
      }
      elements.each(look);
    }
  }
};

// Threads: a block takes tiles of 4096 elements in grid strides, a thread quads of them; the last block finds the
// digit. Shared memory: the digit's counts, 16 KiB at most. Bytes: 4 read a candidate, or an element where candidates
// are not gathered. Deterministic: integers are counted.
template <class Digit>
struct DigitKernel {
  Selection s;

  __device__ void operator()(Grid grid) const {
    __shared__ DigitCounts<Digit> counts;
    if (s.is_at_bound()) return;
    if (s.is_few()) {
      if constexpr (std::is_same_v<Digit, HighDigit>)
        if (grid.block == 0) find_all_digits();
      return;
    }
    SelectState* const state = s.state;
    const bool gathered = s.is_gathered();
    const float* const values = gathered ? s.candidate_values : s.values;
    const Quads quads(values, gathered ? state->candidates : s.count());
    const std::uint32_t threshold = state->threshold;
    const std::uint64_t stride = std::uint64_t{grid.blocks} * kSelectTile;
    std::uint64_t tile = std::uint64_t{grid.block} * kSelectTile;
    if (tile < quads.end()) {
      counts.clear();
      __syncthreads();
      for (; tile < quads.end(); tile += stride) {
        constexpr unsigned kEach = kSelectTile / kThreads / 4;
        Elements<float, 4> p[kEach];
#pragma unroll
        for (unsigned j = 0; j < kEach; ++j) p[j] = quads.load(values, tile + 4 * (j * kThreads + threadIdx.x));
#pragma unroll
        for (unsigned j = 0; j < kEach; ++j) {
          const unsigned members = quads.members(tile + 4 * (j * kThreads + threadIdx.x));
          for (unsigned i = 0; i < 4; ++i) {
            const std::uint32_t bits = magnitude_bits(p[j].at[i]);
            if ((members >> i & 1) != 0 && Digit::same_above(bits, threshold)) counts.add(bits);
          }
        }
      }
      __syncthreads();
      counts.add_to(state->totals);
    }
    if (is_last_block(grid, &state->finished))
      find_digit<Digit>(Totals{state->totals}, state->ties, [&](unsigned digit, std::uint64_t wanted) {
        state->threshold |= digit << Digit::kShift;
        state->ties = wanted;
      });
  }

 private:
  __device__ void find_all_digits() const {
    const Cut cut = find_cut(Few{s.candidate_values, s.state->candidates}, static_cast<std::uint32_t>(s.k));
    if (threadIdx.x == 0) s.state->threshold = cut.threshold, s.state->ties = cut.ties;
  }
};

}  // namespace

void sample_bound(const Exec& exec, const Selection& s, const float* values, const float* residual_in) {
  const std::uint64_t all_lines = s.count() / kLine;
  if (all_lines < 4 * kFewestLines) return;  // all are candidates
  const std::uint64_t lines = std::clamp(all_lines / kShare, kFewestLines, kMostLines);
  const double samples = static_cast<double>(lines * kLine);
  const double expected = samples * static_cast<double>(s.k) / static_cast<double>(s.count());
  const auto rank = static_cast<std::uint64_t>(expected + 4 * std::sqrt(expected) + 8);
  launch(exec, SampleKernel{{values, residual_in, lines, all_lines, rank}, s.state},
         (lines + kLinesABlock - 1) / kLinesABlock);
}

void find_threshold(const Exec& exec, const Selection& s) {
  const std::uint64_t blocks = (s.tiles() + kTilesABlock - 1) / kTilesABlock;
  launch(exec, DigitKernel<HighDigit>{s}, blocks);
  launch(exec, DigitKernel<MiddleDigit>{s}, blocks);
  launch(exec, DigitKernel<LowDigit>{s}, blocks);
}

}  // namespace tw::cuda
