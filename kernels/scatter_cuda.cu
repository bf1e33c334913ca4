// Bytes a pair, read and written: gather 8 + 4, adding scatter 12 + 4, clear_at 4 + 4, of which 4 + 0, 4 + 4 and 0 + 4
// in sectors of their own (32 bytes) wherever indices are sparse. An assigning scatter writes 4 bytes an element and
// reads 8 a pair.
#include "kernels/cuda/elementwise.hpp"
#include "kernels/scatter.hpp"

namespace tw::cuda {
namespace {

struct GatherFrom {
  const float* values;

  template <class Access>
  __device__ void operator()(Access at, Findings&, const std::uint32_t* indices, float* out) const {
    const auto index = at.load(indices);
    Elements<float, Access::kCount> gathered;
    for (int i = 0; i < at.kCount; ++i) gathered[i] = values[index[i]];
    for (int i = 0; i < at.kCount; ++i) gathered[i] = canonical(gathered[i]);
    at.store(out, gathered);
  }
};

// Indices differ, so that no two threads meet and nothing needs to be atomic.
struct AddTo {
  float* out;
  std::uint64_t count;
  float scale;

  template <class Access>
  __device__ void operator()(Access at, Findings&, const std::uint32_t* indices, const float* values) const {
    const auto index = at.load(indices);
    const auto value = at.load(values);
    Elements<float, Access::kCount> sum;
    for (int i = 0; i < at.kCount; ++i) sum[i] = index[i] < count ? out[index[i]] : 0.0f;
    for (int i = 0; i < at.kCount; ++i)
      if (index[i] < count) out[index[i]] = sum[i] + scale * value[i];
  }
};

struct ClearIn {
  float* values;
  std::uint64_t count;

  template <class Access>
  __device__ void operator()(Access at, Findings&, const std::uint32_t* indices) const {
    const auto index = at.load(indices);
    for (int i = 0; i < at.kCount; ++i)
      if (index[i] < count) values[index[i]] = 0.0f;
  }
};

struct Check {
  const std::uint32_t* first;
  std::uint64_t count;

  template <class Access>
  __device__ void operator()(Access at, Findings& findings, const std::uint32_t* indices) const {
    const auto index = at.load(indices);
    for (int i = 0; i < at.kCount; ++i) {
      const bool follows_own = i % 4 != 0;  // the one before is in this thread's registers
      const std::uint64_t j = at.index(i);
      const bool ascends = j == 0 || (follows_own ? index[i - 1] : first[j - 1]) < index[i];
      if (!ascends || index[i] >= count) findings.add(kStatusBadPayload);
    }
  }
};

constexpr std::uint64_t kStretch = 8192;  // elements of a block at a time: long, since each costs two binary searches

struct Pairs {
  const std::uint32_t* indices;
  const float* values;
  std::uint64_t count;

  // How many pairs lie before an element.
  __device__ std::uint64_t before(std::uint64_t element) const {
    std::uint64_t low = 0, high = count;
    while (low < high) {
      const std::uint64_t middle = (low + high) / 2;
      if (indices[middle] < element)
        low = middle + 1;
      else
        high = middle;
    }
    return low;
  }
};

// Elements first..end-1 behind a base on 16 bytes.
struct Run {
  float* base;
  std::uint64_t first, end;

  // Writes four elements from `at` on, or those of them that belong to the run.
  __device__ void write(std::uint64_t at, float4 four) const {
    if (at >= first && at + 4 <= end) {
      __stwb(reinterpret_cast<float4*>(base + at), four);  // nvcc splits a plain store, to share parts with those below
      return;
    }
    const float each[] = {four.x, four.y, four.z, four.w};
    for (unsigned i = 0; i < 4; ++i)
      if (at + i >= first && at + i < end) base[at + i] = each[i];
  }
};

// Values among zeros, written once: a stretch is laid out in shared memory and leaves it in 16-byte stores.
//
// Threads: a block takes stretches in grid strides; its threads share a stretch's pairs, then its quads. Shared memory:
// 32 KiB for the stretch. Bytes: 4 written an element, 8 read a pair, and two binary searches a stretch (0.1 an
// element, nearly all from L2). Deterministic: indices differ.
struct AssignKernel {
  Pairs pairs;
  float scale;
  Run run;

  __device__ void operator()(Grid grid) const {
    __shared__ alignas(16) float stretch[kStretch];
    __shared__ std::uint64_t bounds[2];
    auto* quads = reinterpret_cast<float4*>(stretch);
    for (std::uint64_t begin = grid.block * kStretch; begin < run.end; begin += grid.blocks * kStretch) {
      // In elements of the run: the first stretch may begin before it.
      if (threadIdx.x < 2) {
        const std::uint64_t edge = begin + threadIdx.x * kStretch;
        bounds[threadIdx.x] = pairs.before(edge < run.first ? 0 : edge - run.first);
      }
      for (unsigned q = threadIdx.x; q < kStretch / 4; q += kThreads) quads[q] = {};
      __syncthreads();
      for (std::uint64_t j = bounds[0] + threadIdx.x; j < bounds[1]; j += kThreads) {
        const std::uint64_t place = pairs.indices[j] + run.first - begin;
        // Always, and each place once, where indices ascend; foreign ones may do neither.
        if (place < kStretch) atomicExch(&stretch[place], scale * pairs.values[j]);
      }
      __syncthreads();
      // No barrier behind: of the next stretch, a thread first clears the quads that it has just written.
      for (unsigned q = threadIdx.x; q < kStretch / 4; q += kThreads) run.write(begin + 4 * q, quads[q]);
    }
  }
};

void assign(const Exec& exec, const Pairs& pairs, float scale, std::span<float> out) {
  const std::uint64_t before = reinterpret_cast<std::uintptr_t>(out.data()) % 16 / sizeof(float);
  const Run run{out.data() - before, before, before + out.size()};
  const std::uint64_t stretches = out.empty() ? 0 : (run.end + kStretch - 1) / kStretch;
  launch(exec, AssignKernel{pairs, scale, run}, stretches);
}

}  // namespace

void gather(const Exec& exec, std::span<const float> values, SparseBody out) {
  const std::uint32_t* indices = out.indices.data();
  elementwise(exec, out.indices.size(), GatherFrom{values.data()}, indices, out.values.data());
}

void scatter(const Exec& exec, SparseView pairs, Blend how, std::span<float> out) {
  const std::uint64_t count = pairs.indices.size();
  if (how.combine == Combine::assign)
    assign(exec, {pairs.indices.data(), pairs.values.data(), count}, how.scale, out);
  else
    elementwise(exec, count, AddTo{out.data(), out.size(), how.scale}, pairs.indices.data(), pairs.values.data());
}

void clear_at(const Exec& exec, std::span<const std::uint32_t> indices, std::span<float> values) {
  elementwise(exec, indices.size(), ClearIn{values.data(), values.size()}, indices.data());
}

void check_indices(const Exec& exec, std::span<const std::uint32_t> indices, std::uint64_t count) {
  elementwise(exec, indices.size(), Check{indices.data(), count}, indices.data());
}

}  // namespace tw::cuda
