// How work on a device is measured: by events on a stream, each time with a cold cache, beside what its memory gives.
#pragma once

#include <cstdint>
#include <functional>

#include <tightwire/exec.hpp>

#include "bench/bandwidth.hpp"
#include "kernels/base/place.hpp"
#include "kernels/cuda/facts.hpp"
#include "kernels/cuda/stream.hpp"
#include "kernels/cuda/timer.hpp"

namespace tw {

/// A stream, and how long what is enqueued on it takes.
class DeviceClock {
 public:
  /// Throws CudaError where there is no such device.
  explicit DeviceClock(std::uint32_t device);

  const cuda::DeviceFacts& facts() const { return facts_; }
  /// False where no GPU runs the work: then every time is NaN, so that none is taken for a figure.
  bool tells_time() const { return !facts_.interpreted; }
  /// The place on the stream; scratch memory, status and batch are the caller's to add.
  const Exec& exec() const { return exec_; }

  /// Seconds from the first to the last of what `work` enqueues, none of whose data is in the device's cache. Waits for
  /// it. Launches that come later than the device is ready for them are part of the time.
  double seconds(const std::function<void()>& work);

 private:
  void make_cold();

  cuda::DeviceFacts facts_;
  cuda::Stream stream_;
  Exec exec_;
  cuda::Timer timer_;
  std::uint64_t cold_bytes_;
  Block cold_, status_;
};

/// What the memory of a device gives to tensors of this many bytes, medians over rounds: `read` by the op that only
/// reads, `written` by the one that only writes, `copied` by the faster of CUDA's own copy and the op that copies.
Bandwidth measure_bandwidth(DeviceClock& clock, std::uint64_t bytes, std::uint64_t rounds = 10);

/// "NVIDIA H100 (sm_90), CUDA 13.0, driver 13.0 (580.65)"
std::string described(const cuda::DeviceFacts& facts);

}  // namespace tw
