// Ops as benchmarks run them: each on one thread, on buffers of its own, with f32 bytes a call as the measure.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <tightwire/exec.hpp>

#include "kernels/base/arena.hpp"
#include "kernels/cuda/batch.hpp"
#include "kernels/cuda/device_buffer.hpp"

namespace tw {

/// Room for any op on `count` elements: normal values, a residual and where the next one goes, a body. All of it is
/// written.
struct OpArrays {
  std::uint64_t count = 0;
  std::span<float> values, residual_in, residual_out, out;
  std::span<float> ties, zeros;
  std::span<float> units, sparse_values;
  std::span<std::uint32_t> words, indices;
  std::span<std::uint16_t> halves;
  std::span<std::int8_t> codes;
  std::span<std::byte> frame;  ///< of f32, header included
};

/// Such room for each of several runs, in the memory that a backend works on.
class OpBuffers {
 public:
  OpBuffers(std::span<const std::uint64_t> counts, const Exec& exec);

  std::span<OpArrays> runs() { return runs_; }
  /// The place that the buffers were made for, with their scratch memory, status word and batch.
  Exec exec(Backend backend);

 private:
  template <class T>
  std::span<T> array(std::uint64_t count, std::span<const T> content = {});
  OpArrays arrays(std::uint64_t count);

  Exec exec_;
  cuda::DeviceMemory device_memory_;
  Arena memory_, scratch_;
  Arena::Scope scope_;
  LaunchBatch batch_;
  std::vector<OpArrays> runs_;
};

struct BenchmarkedOp {
  std::string name;
  void (*run)(const Exec& exec, OpArrays& arrays);
};

/// The ops of all codecs with their default parameters, and the element-wise ones.
std::vector<BenchmarkedOp> benchmarked_ops();

}  // namespace tw
