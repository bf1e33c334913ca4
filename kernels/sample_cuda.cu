// Four indices a thread, of one Philox counter. Strata are followed as in sample_cpu.cpp: one division finds the first
// stratum of a thread, the three behind it carry its remainder along.
#include "kernels/cuda/elementwise.hpp"
#include "kernels/math/step.hpp"
#include "kernels/math/strata.hpp"
#include "kernels/sample.hpp"

namespace tw::cuda {
namespace {

struct Strata {
  std::uint64_t parts, step, remainder;  // of `count` elements: count / parts and count % parts
};

// Threads: one takes quads of words in grid strides. Shared memory: none. Bytes: 4 written an index, in 16-byte stores
// where the run begins with a whole counter. Deterministic: indices are independent.
struct SampleKernel {
  SampledRun run;
  Strata strata;
  std::uint32_t* indices;

  __device__ void operator()(Grid grid) const {
    const PhiloxWords words = at_recorded_step(run.words, run.recorded_step);
    const std::uint64_t lacking = run.first % 4;  // words of the first counter that come before the run
    for (std::uint64_t q = grid.thread(); 4 * q < lacking + strata.parts; q += grid.threads()) {
      const std::uint64_t skipped = q == 0 ? lacking : 0, begin = 4 * q + skipped - lacking;
      const PhiloxCounter word = words.quad(run.first / 4 + q);
      std::uint64_t carried = begin * strata.remainder;
      Stratum here{begin * strata.step + carried / strata.parts, 0};
      carried %= strata.parts;
      std::uint32_t index[4] = {};
#pragma unroll
      for (unsigned i = 0; i < 4; ++i) {
        if (i < skipped) continue;
        here = {here.first + here.count, strata.step};
        if ((carried += strata.remainder) >= strata.parts) carried -= strata.parts, ++here.count;
        index[i] = drawn(here, word[i]);
      }
      std::uint32_t* const to = indices + 4 * q - lacking;
      if (skipped == 0 && begin + 4 <= strata.parts && reinterpret_cast<std::uintptr_t>(to) % 16 == 0) {
        __stwb(reinterpret_cast<uint4*>(to),
               uint4{index[0], index[1], index[2], index[3]});  // nvcc splits a plain store
        continue;
      }
#pragma unroll
      for (unsigned i = 0; i < 4; ++i)
        if (i >= skipped && 4 * q + i < lacking + strata.parts) to[i] = index[i];
    }
  }
};

struct ScaleByStratum {
  std::uint64_t parts, count;

  template <class Access>
  __device__ void operator()(Access at, Findings&, float* values) const {
    auto value = at.load(values);
    for (int i = 0; i < at.kCount; ++i)
      value[i] = canonical(value[i] * static_cast<float>(stratum(at.index(i), parts, count).count));
    at.store(values, value);
  }
};

}  // namespace

void scale_by_strata(const Exec& exec, std::uint64_t count, std::span<float> values) {
  elementwise(exec, values.size(), ScaleByStratum{values.size(), count}, values.data());
}

void sample_strata(const Exec& exec, SampledRun run, std::span<std::uint32_t> indices) {
  const std::uint64_t parts = indices.size();
  if (parts == 0) return;
  const std::uint64_t quads = (run.first % 4 + parts + 3) / 4;
  const Strata strata{parts, run.count / parts, run.count % parts};
  launch(exec, SampleKernel{run, strata, indices.data()}, (quads + kThreads - 1) / kThreads);
}

}  // namespace tw::cuda
