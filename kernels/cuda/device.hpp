// Which device the calls of this thread go to. No CUDA header, so that any file may include it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <tightwire/exec.hpp>

namespace tw::cuda {

/// For people: what this build has of CUDA and what is found here, "CUDA 13.0 for sm_90: 0 NVIDIA H100 (sm_90, 80 GB),
/// driver 13.0", or why nothing is. Throws nothing.
std::string summary();

/// Empty where kernels can run: this build has CUDA, this machine a driver and a device. Otherwise what is missing.
std::string unavailable();
/// How many devices there are, at least 1. Throws CudaError of what is missing otherwise.
std::uint32_t device_count();

/// Throws CudaError where the device of `exec` cannot be used: no driver, an older one, no such device; UsageError
/// where its stream is another device's.
void require_usable(const Exec& exec);
/// Throws UsageError that names the tensor unless kernels on the device of `exec` reach the memory at `address`: the
/// device's own, managed, or pinned.
void require_reachable(const Exec& exec, const void* address, std::string_view tensor);

/// Makes a device the thread's current one, and what was current before it again at the end of its scope: trainers have
/// their own idea of the current device. What was current is a context, or none at all: it is put back through the
/// driver, since cudaSetDevice would create a context on a device that nobody has used yet (from CUDA 12 on).
class CurrentDevice {
 public:
  /// Throws CudaError where there is no such device.
  explicit CurrentDevice(std::uint32_t device);
  ~CurrentDevice();
  CurrentDevice(const CurrentDevice&) = delete;
  CurrentDevice& operator=(const CurrentDevice&) = delete;

 private:
  void* before_ = nullptr;  // a CUcontext
  bool changed_ = false;
};

}  // namespace tw::cuda
