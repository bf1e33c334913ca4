// Exact selection in one pass over the elements and work on few of them: a bound from a sample is low enough to be
// reached by rather more than k elements; one pass gathers these candidates, tile by tile; three digits of the
// candidates give the threshold; counts of the tiles give each selected pair its place. Where the sample was wrong, or
// so many elements are equal that there is no room for all that reach the bound, the same kernels work on all elements
// instead; where the bound itself turns out to be the threshold (zeros, many equal ones) digits are not looked at, and
// few candidates are one block's work. Decided on the device, by what was found: launches and memory depend on count
// and k alone. What fits into one block's registers is selected by one kernel (kernels/cuda/select_small.cu).
//
// Bytes an element, read and written: select_largest 4 and 1/8 for the sample, 28 a candidate, 8 a pair; with
// feedback 8 + 4, 1/4, the same, and 4 a pair in sectors of their own (32 bytes). Without candidates up to 20 more: k
// of more than a quarter of the elements, more ties than there is room for.
#include "kernels/base/arena.hpp"
#include "kernels/base/check.hpp"
#include "kernels/clear.hpp"
#include "kernels/cuda/elementwise.hpp"
#include "kernels/cuda/select.hpp"
#include "kernels/inspect.hpp"

namespace tw::cuda {
namespace {

struct Correct {
  template <class Access>
  __device__ void operator()(Access at, Findings& findings, const float* values, const float* residual_in,
                             float* residual_out) const {
    const auto value = at.load(values), residual = at.load(residual_in);
    Elements<float, Access::kCount> p;
    for (int i = 0; i < at.kCount; ++i) findings.look(p[i] = value[i] + residual[i]);
    at.store(residual_out, p);
  }
};

// None where candidates would be so many that gathering them does not pay.
std::uint64_t room_for(std::uint64_t count, std::uint64_t k) {
  constexpr std::uint64_t kLeastMore = 16384;
  return k > count / 4 ? 0 : std::min(count, k + std::max({k / 2, count / 64, kLeastMore}));
}

Selection selection_of(Arena::Scope& memory, const float* p, std::uint64_t count, std::uint64_t k) {
  const Quads quads(p, count);
  const std::uint64_t tiles = (quads.end() + kSelectTile - 1) / kSelectTile;
  const std::uint64_t room = room_for(count, k);
  return {.values = p,
          .quads = quads,
          .k = k,
          .state = memory.take<SelectState>(1).data(),
          .room = room,
          .candidate_values = memory.take<float>(room).data(),
          .candidate_indices = memory.take<std::uint32_t>(room).data(),
          .stretches = memory.take<Stretch>(tiles).data(),
          .tile_counts = memory.take<AboveAndTies>(tiles).data(),
          .block_counts = memory.take<AboveAndTies>(tiles).data()};
}

// `residual_in` and `residual_out` are null, or p goes to the latter.
void select(const Exec& exec, std::span<const float> values, const float* residual_in, float* residual_out,
            SparseBody out) {
  if (exec.arena == nullptr) TW_FAIL(UsageError, "selection on a CUDA device needs scratch memory: set Exec::arena");
  Arena::Scope memory(*exec.arena);
  const float* p = residual_in == nullptr ? values.data() : residual_out;
  const Quads quads(p, values.size());
  if (quads.end() <= kSelectTile) return select_small(exec, quads, values.data(), residual_in, residual_out, out);
  const Selection s = selection_of(memory, p, values.size(), out.indices.size());
  clear_bytes(exec, std::as_writable_bytes(std::span(s.state, 1)));
  if (s.room != 0) sample_bound(exec, s, values.data(), residual_in);
  gather_candidates(exec, s, values.data(), residual_in, residual_out);
  find_threshold(exec, s);
  write_selected(exec, s, out, residual_out);
}

}  // namespace

void select_largest(const Exec& exec, std::span<const float> values, SparseBody out) {
  if (out.indices.empty()) return inspect(exec, values);
  select(exec, values, nullptr, nullptr, out);
}

void select_largest_feedback(const Exec& exec, std::span<const float> values, Feedback feedback, SparseBody out) {
  const float* residual_in = feedback.residual_in.data();
  float* residual_out = feedback.residual_out.data();
  if (out.indices.empty()) return elementwise(exec, values.size(), Correct{}, values.data(), residual_in, residual_out);
  select(exec, values, residual_in, residual_out, out);
}

}  // namespace tw::cuda
