// Ops as benchmarks run them: each on one thread, on buffers of its own, with f32 bytes a call as the measure.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <tightwire/exec.hpp>

#include "kernels/base/arena.hpp"
#include "kernels/cuda/device_buffer.hpp"

namespace tw {

/// Room for any op on `count` elements, in the memory that a backend works on: normal values, a residual and where the
/// next one goes, a body. All of it is written.
class OpBuffers {
 public:
  OpBuffers(std::uint64_t count, const Exec& exec);

  /// The place that the buffers were made for, with their scratch memory and status word.
  Exec exec(Backend backend);

 private:
  Exec exec_;
  cuda::DeviceMemory device_memory_;
  Arena memory_, scratch_;
  Arena::Scope scope_;

  template <class T>
  std::span<T> array(std::uint64_t count, std::span<const T> content = {});

 public:
  const std::uint64_t count;
  std::span<float> values, residual_in, residual_out, out;
  std::span<float> ties, zeros;
  std::span<float> units, sparse_values;
  std::span<std::uint32_t> words, indices;
  std::span<std::uint16_t> halves;
  std::span<std::int8_t> codes;
  std::span<std::uint32_t> status;
};

struct BenchmarkedOp {
  std::string name;
  void (*run)(const Exec& exec, OpBuffers& buffers);
};

/// The ops of all codecs with their default parameters, and the element-wise ones.
std::vector<BenchmarkedOp> benchmarked_ops();

}  // namespace tw
