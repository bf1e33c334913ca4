// One pass that keeps candidates: whatever exceeds a bound, with its index. The bound begins as the sample's estimate
// of the cut, low enough to be met with a margin. Where the room for candidates ends they are cut back to the k
// largest, and from then on only what exceeds the smallest of these can be selected (of equal magnitudes the first
// wins), so neither ties nor zeros nor a bad sample can overflow anything. Where the bound was too high, a second pass
// begins without one. Exact in all cases.
#include "kernels/select.hpp"

#include <bit>
#include <cmath>

#include "kernels/base/arena.hpp"
#include "kernels/math/bits.hpp"
#include "kernels/simd/cut.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/select_cpu.cpp"
#include <hwy/foreach_target.h>

#include "kernels/simd/group-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tw::HWY_NAMESPACE {
#if TW_TARGET_IS_PLAIN
void select_in(const Exec& exec, std::span<const float> values, SparseBody out, const simd::SelectScratch&) {
  reference::select_largest(exec, values, out);
}
void select_feedback_in(const Exec& exec, std::span<const float> values, Feedback feedback, SparseBody out,
                        const simd::SelectScratch&) {
  reference::select_largest_feedback(exec, values, feedback, out);
}
#else
namespace {

constexpr std::size_t kStride = 2 * kGroup;  // elements looked at before the first branch

// Values as they are.
struct Plain {
  const float* x;
  HWY_INLINE float at(std::size_t i) const { return x[i]; }
  HWY_INLINE float take(std::size_t i) const { return x[i]; }
  HWY_INLINE Floats take_vector(std::size_t i) const { return load(x + i); }
  HWY_INLINE void prefetch(std::size_t i) const {
    prefetch_group(x + i);
    prefetch_group(x + i + kGroup);
  }
};

// values + residual, which taking leaves in residual_out.
template <bool stream>
struct Corrected {
  const float* x;
  Feed residual;
  HWY_INLINE float at(std::size_t i) const { return x[i] + residual.in[i]; }
  HWY_INLINE float take(std::size_t i) const { return residual.out[i] = at(i); }
  HWY_INLINE Floats take_vector(std::size_t i) const {
    const Floats p = hn::Add(load(x + i), load(residual.in + i));
    store<stream>(p, residual.out + i);
    return p;
  }
  HWY_INLINE void prefetch(std::size_t i) const {
    for (const float* from : {x, residual.in}) {
      prefetch_group(from + i);
      prefetch_group(from + i + kGroup);
    }
  }
};

// Candidates in ascending order of index. Those to come exceed `bound`; those here are `lowest` or more.
struct Candidates {
  std::uint32_t* indices;
  std::uint32_t* bits;  // of the value, sign included
  std::size_t room;     // and a register's width more
  std::int32_t bound;
  std::uint32_t lowest = static_cast<std::uint32_t>(bound + 1);
  std::size_t count = 0;
};

HWY_INLINE void append(Candidates& to, float value, std::size_t index) {
  if (static_cast<std::int32_t>(magnitude_bits(value)) <= to.bound) return;
  to.bits[to.count] = std::bit_cast<std::uint32_t>(value);
  to.indices[to.count++] = static_cast<std::uint32_t>(index);
}

// Appends those of a stride that exceed the bound; there is room for all. One bit after another: they are few, and
// registers are compressed through tables or microcode on many processors.
HWY_INLINE void append_above(Candidates& to, const Ints* bits, std::size_t first) {
  const Ints bound = hn::Set(IntTag(), to.bound), mask = hn::Set(IntTag(), 0x7fffffff);
  alignas(64) std::int32_t values[kStride];
  std::uint64_t above = 0;
  for (std::size_t v = 0; v < 2 * kVectors; ++v) {
    hn::Store(bits[v], IntTag(), values + v * kWidth);
    above |= std::uint64_t{bits_of_mask(IntTag(), hn::Gt(hn::And(bits[v], mask), bound))} << (v * kWidth);
  }
  for (; above != 0; above &= above - 1) {
    const auto i = static_cast<std::size_t>(std::countr_zero(above));
    to.bits[to.count] = static_cast<std::uint32_t>(values[i]);
    to.indices[to.count++] = static_cast<std::uint32_t>(first + i);
  }
}

// Takes elements from `i` on until the end or until there may be no room for more; returns where.
template <class Source>
std::size_t gather_above(const Source& source, std::size_t i, std::size_t count, Candidates& to) {
  const Ints bound = hn::Set(IntTag(), to.bound), mask = hn::Set(IntTag(), 0x7fffffff);
  for (; i + kStride <= count; i += kStride) {
    source.prefetch(i);
    Ints bits[2 * kVectors];
    Ints most = hn::Zero(IntTag());
    for (std::size_t v = 0; v < 2 * kVectors; ++v) {
      bits[v] = bits_of(source.take_vector(i + v * kWidth));
      most = hn::Max(most, hn::And(bits[v], mask));
    }
    if (hn::AllFalse(IntTag(), hn::Gt(most, bound))) continue;
    if (to.count + kStride > to.room) return i;
    append_above(to, bits, i);
  }
  for (; i < count; ++i) {
    if (to.count == to.room) return i;
    append(to, source.take(i), i);
  }
  return count;
}

std::uint32_t largest_of(const std::uint32_t* bits, std::size_t count) {
  LargestMagnitude largest;
  const std::size_t whole = whole_groups(count);
  measure(reinterpret_cast<const float*>(bits), whole, largest);
  std::uint32_t most = largest.total();
  for (std::size_t i = whole; i < count; ++i) most = HWY_MAX(most, bits[i] & ~kSignBit);
  return most;
}

// Keeps the k largest, of equal ones the first.
void cut_back(Candidates& candidates, std::size_t k) {
  const std::span<const std::uint32_t> all{candidates.bits, candidates.count};
  simd::Cut cut = simd::cut_of_largest(all, k, candidates.lowest, largest_of(candidates.bits, candidates.count));
  std::size_t kept = 0;
  for (std::size_t i = 0; i < candidates.count; ++i) {
    const std::uint32_t bits = candidates.bits[i], magnitude = bits & ~kSignBit;
    const bool tie = magnitude == cut.threshold && cut.ties != 0;
    cut.ties -= tie;
    candidates.bits[kept] = bits;
    candidates.indices[kept] = candidates.indices[i];
    kept += magnitude > cut.threshold || tie;
  }
  candidates.count = kept;
  candidates.lowest = cut.threshold;
  candidates.bound = static_cast<std::int32_t>(cut.threshold);
}

// A bound that rather more than k of the run exceed than fewer; -1 for runs too short to ask. Looks at whole cache
// lines, one in each stratum of the run.
template <class Source>
std::int32_t sampled_bound(const Source& source, std::size_t count, std::size_t k, std::uint32_t* sample) {
  constexpr std::size_t kLine = 16, kFewestLines = 32, kShare = 32;  // one line in `kShare`
  if (count < 4 * kFewestLines * kLine) return -1;
  const std::size_t wanted = HWY_MAX(count / kLine / kShare, kFewestLines);
  const std::size_t lines = HWY_MIN(wanted, simd::SelectScratch::kMostSamples / kLine);
  std::uint64_t random = 0x9E3779B97F4A7C15u;
  for (std::size_t j = 0; j < lines; ++j) {
    const std::size_t first = j * (count / kLine) / lines, next = (j + 1) * (count / kLine) / lines;
    random = random * 6364136223846793005u + 1442695040888963407u;
    const std::size_t line = first + ((random >> 32) * (next - first) >> 32);
    for (std::size_t i = 0; i < kLine; ++i)
      sample[j * kLine + i] = std::bit_cast<std::uint32_t>(source.at(line * kLine + i));
  }
  const double samples = static_cast<double>(lines * kLine);
  const double expected = samples * static_cast<double>(k) / static_cast<double>(count);
  const double rank = expected + 5 * std::sqrt(expected) + 8;
  if (rank >= samples) return -1;
  const std::span<const std::uint32_t> all{sample, lines * kLine};
  const auto place = static_cast<std::uint64_t>(rank);
  return static_cast<std::int32_t>(simd::cut_of_largest(all, place, 0, largest_of(sample, all.size())).threshold) - 1;
}

// `head` elements come before the first that vectors may begin at.
template <class Source>
Candidates select_from(const Source& source, std::size_t count, std::size_t k, std::size_t head,
                       const simd::SelectScratch& scratch) {
  std::int32_t bound = sampled_bound(source, count, k, scratch.sample);
  while (true) {
    Candidates candidates{scratch.indices, scratch.bits, scratch.room, bound};
    std::size_t i = 0;
    for (; i < head; ++i) append(candidates, source.take(i), i);
    while ((i = gather_above(source, i, count, candidates)) < count) cut_back(candidates, k);
    if (candidates.count > k) cut_back(candidates, k);
    if (candidates.count == k) return candidates;
    bound = -1;
  }
}

void write(const Exec& exec, const Candidates& from, SparseBody out) {
  std::memcpy(out.indices.data(), from.indices, from.count * sizeof(std::uint32_t));
  std::memcpy(out.values.data(), from.bits, from.count * sizeof(float));
  if (largest_of(from.bits, from.count) < kInfinityBits) return;
  report(exec, kStatusNonFinite);
  for (std::size_t j = 0; j < from.count; ++j) out.values.data()[j] = canonical(out.values.data()[j]);
}

// Nothing is selected, but values are looked at.
void report_non_finite(const Exec& exec, const float* values, std::size_t count) {
  if (largest_of(reinterpret_cast<const std::uint32_t*>(values), count) >= kInfinityBits)
    report(exec, kStatusNonFinite);
}

template <bool stream>
void select_corrected(const Exec& exec, std::span<const float> values, Feed residual, SparseBody out,
                      const simd::SelectScratch& scratch) {
  const std::size_t misplaced = reinterpret_cast<std::uintptr_t>(residual.out) / sizeof(float) % kWidth;
  const std::size_t head = stream && misplaced != 0 ? kWidth - misplaced : 0;
  const Corrected<stream> source{values.data(), residual};
  write(exec, select_from(source, values.size(), out.indices.size(), head, scratch), out);
  if (stream) hwy::FlushStream();
  for (std::size_t j = 0; j < out.indices.size(); ++j) {
    float& left = residual.out[out.indices.data()[j]];
    left = left - left;
  }
}

}  // namespace

void select_in(const Exec& exec, std::span<const float> values, SparseBody out, const simd::SelectScratch& scratch) {
  if (out.indices.size() == 0) return report_non_finite(exec, values.data(), values.size());
  write(exec, select_from(Plain{values.data()}, values.size(), out.indices.size(), 0, scratch), out);
}

void select_feedback_in(const Exec& exec, std::span<const float> values, Feedback feedback, SparseBody out,
                        const simd::SelectScratch& scratch) {
  if (out.indices.size() == 0) return reference::select_largest_feedback(exec, values, feedback, out);
  const Feed residual{feedback.residual_in.data(), feedback.residual_out.data()};
  (values.size() >= kStreamedCount ? select_corrected<true> : select_corrected<false>)(exec, values, residual, out,
                                                                                       scratch);
}
#endif  // !TW_TARGET_IS_PLAIN
}  // namespace tw::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tw {
HWY_EXPORT(select_in);
HWY_EXPORT(select_feedback_in);

namespace simd {
namespace {

// Calls work(scratch) with memory of the arena, or of its own where there is none.
template <class Work>
void with_scratch(const Exec& exec, std::size_t count, std::size_t k, Work work) {
  constexpr std::size_t kLeastMore = 1024, kWidestRegister = 16;
  Arena own;
  Arena::Scope memory(exec.arena != nullptr ? *exec.arena : own);
  SelectScratch scratch;
  scratch.room = std::min(count, k + std::max(k / 2, kLeastMore));
  scratch.indices = memory.take<std::uint32_t>(scratch.room + kWidestRegister).data();
  scratch.bits = memory.take<std::uint32_t>(scratch.room + kWidestRegister).data();
  scratch.sample = memory.take<std::uint32_t>(std::min(count, SelectScratch::kMostSamples)).data();
  work(scratch);
}

}  // namespace

void select_largest(const Exec& exec, std::span<const float> values, SparseBody out) {
  with_scratch(exec, values.size(), out.indices.size(), [&](const SelectScratch& scratch) {
    HWY_DYNAMIC_DISPATCH(select_in)(exec, values, out, scratch);
  });
}
void select_largest_feedback(const Exec& exec, std::span<const float> values, Feedback feedback, SparseBody out) {
  with_scratch(exec, values.size(), out.indices.size(), [&](const SelectScratch& scratch) {
    HWY_DYNAMIC_DISPATCH(select_feedback_in)(exec, values, feedback, out, scratch);
  });
}
}  // namespace simd
}  // namespace tw
#endif  // HWY_ONCE
