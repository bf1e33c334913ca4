// The stages of selection (kernels/select_cuda.cu says how they play together) and the device memory that they share.
// Each enqueues one kernel or a few; what they decide stays on the device.
#pragma once

#include <cstdint>

#include "kernels/base/operands.hpp"
#include "kernels/cuda/digits.hpp"
#include "kernels/cuda/quads.hpp"
#include "kernels/select.hpp"

namespace tw::cuda {

inline constexpr unsigned kSelectTile = 4096;  ///< elements: of a block in `gather_candidates`, of a warp behind it

/// Candidates that a block looks at alone. Working together costs more than it saves.
inline constexpr unsigned kFew = 4 * kSelectTile;

/// All zero at first.
struct SelectState {
  unsigned long long totals[kMostBins];  ///< of the digit that is looked at
  unsigned long long candidates;         ///< found, with those that there was no room for
  unsigned long long at_bound;           ///< of which equal the bound
  unsigned long long ties;               ///< of the threshold's digits so far, still to be selected
  std::uint32_t threshold;               ///< its digits so far
  std::uint32_t bound;                   ///< candidates are magnitudes from here on
  std::uint32_t finished;                ///< blocks of the kernel that runs
};

/// A tile's candidates: a stretch of the list, ascending in index.
struct Stretch {
  std::uint64_t first;
  std::uint32_t count;
};

/// Magnitudes in a tile or in a block's tiles: those above the threshold in the upper half, those equal to it in the
/// lower. Sums before any element fit: count <= 2^32.
using AboveAndTies = std::uint64_t;

/// Selected is every magnitude above `threshold`, and the first `ties` that equal it.
struct Cut {
  std::uint32_t threshold;
  std::uint64_t ties;
};

/// One selection, handed to kernels by value; arrays are the device's.
struct Selection {
  const float* values;  ///< p: in the feedback form where the new residual will be
  Quads quads;          ///< of `values`
  std::uint64_t k;

  SelectState* state;
  std::uint64_t room;  ///< candidates
  float* candidate_values;
  std::uint32_t* candidate_indices;
  Stretch* stretches;          ///< a tile each
  AboveAndTies* tile_counts;   ///< a tile each
  AboveAndTies* block_counts;  ///< a block each; then: of the blocks before

  __host__ __device__ std::uint64_t count() const { return quads.index(quads.end()); }
  __host__ __device__ std::uint64_t tiles() const { return (quads.end() + kSelectTile - 1) / kSelectTile; }

  /// Whether the candidates are all there and hold what is selected. Decided where they were gathered.
  __device__ bool is_gathered() const {
    const std::uint64_t found = state->candidates;
    return found >= k && found <= room;
  }
  /// Whether one block finds the cut, from the candidates.
  __device__ bool is_few() const { return is_gathered() && state->candidates <= kFew; }
  /// Whether the bound is the threshold: all zero but a few, or many equal ones. Then `tile_counts` are known, too.
  __device__ bool is_at_bound() const {
    const std::uint64_t found = state->candidates, equal = state->at_bound;
    return found >= k && found - equal < k;
  }
  __device__ Cut cut() const {
    if (is_at_bound()) return {state->bound, k - (state->candidates - state->at_bound)};
    return {state->threshold, state->ties};
  }
};

/// All of it, for what is of one tile. `quads` are those of p, which is `values` where there is no residual.
void select_small(const Exec&, const Quads& quads, const float* values, const float* residual_in, float* residual_out,
                  SparseBody out);

/// Leaves a bound that rather more than k elements reach than fewer, from a sample of p.
void sample_bound(const Exec&, const Selection&, const float* values, const float* residual_in);

/// Looks at all elements, writes p where there is a residual, and gathers candidates.
void gather_candidates(const Exec&, const Selection&, const float* values, const float* residual_in,
                       float* residual_out);

/// Leaves the cut.
void find_threshold(const Exec&, const Selection&);

/// Writes what is selected, and what remains of it where there is a residual.
void write_selected(const Exec&, const Selection&, SparseBody out, float* residual_out);

}  // namespace tw::cuda
