// What a device is, for the conditions that figures carry. No CUDA header, so that any file may include it.
#pragma once

#include <cstdint>
#include <string>

namespace tw::cuda {

struct DeviceFacts {
  std::string name;
  std::string architecture;  ///< "sm_90"
  std::string runtime;       ///< CUDA's, as "13.0"
  std::string driver;        ///< the newest CUDA that the driver knows, and its own version where the machine tells
  std::uint32_t multiprocessors = 0;
  std::uint64_t memory_bytes = 0, free_bytes = 0, cache_bytes = 0;  ///< of the cache that all multiprocessors share
  bool interpreted = false;                                         ///< no GPU (tests/ptxrun): times mean nothing
};

/// Throws CudaError that says what is here where there is no such device.
DeviceFacts device_facts(std::uint32_t device);

}  // namespace tw::cuda
