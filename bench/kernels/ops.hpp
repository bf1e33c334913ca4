// Ops as benchmarks run them: each on one thread, on buffers of its own, with f32 bytes a call as the measure.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <tightwire/exec.hpp>

#include "kernels/base/aligned.hpp"
#include "kernels/base/arena.hpp"

namespace tw {

/// Room for any op on `count` elements: normal values, a residual and where the next one goes, a body.
struct OpBuffers {
  explicit OpBuffers(std::uint64_t count);
  Exec exec(Backend backend);

  std::uint64_t count;
  AlignedVector<float> values, residual_in, residual_out, out;
  AlignedVector<float> units, sparse_values;
  AlignedVector<std::uint32_t> words, indices;
  AlignedVector<std::uint16_t> halves;
  AlignedVector<std::int8_t> codes;
  Arena arena;
  std::uint32_t status = 0;
};

struct BenchmarkedOp {
  std::string name;
  void (*run)(const Exec& exec, OpBuffers& buffers);
};

/// The ops of all codecs with their default parameters, and the element-wise ones.
std::vector<BenchmarkedOp> benchmarked_ops();

}  // namespace tw
