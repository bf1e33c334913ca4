// What `tightwire bench codecs --device cuda` measures.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "bench/codecs.hpp"
#include "bench/device_clock.hpp"
#include "kernels/base/aligned.hpp"
#include "kernels/base/place.hpp"

namespace tw {

/// As CodecBench, on a device: each op is enqueued on one stream and timed there, with a cold cache. `memcpy` is CUDA's
/// copy within the device. Rows are not timed where no GPU runs the work.
class DeviceCodecBench {
 public:
  /// Throws CudaError where there is no such device, or not enough memory on it.
  DeviceCodecBench(std::uint64_t count, std::uint32_t device);

  /// `one.backend` says nothing here.
  CodecRow measure(const CodecCase& one);
  const cuda::DeviceFacts& facts() const { return clock_.facts(); }

 private:
  class Measurement;
  std::span<float> span(const Block& block) const;

  DeviceClock clock_;
  AlignedVector<float> values_, decoded_;
  Block d_values_, d_out_;
  std::optional<CodecData> filled_;
};

}  // namespace tw
