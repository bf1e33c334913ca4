// The step as kernels find it that were captured in a graph and run in many steps. No CUDA header, so that any file may
// include it.
#pragma once

#include <cstdint>

#include <tightwire/exec.hpp>

#include "kernels/base/place.hpp"

namespace tw::cuda {

/// A step number in device memory.
class StepRecord {
 public:
  explicit StepRecord(std::uint32_t device);

  /// Enqueues that it becomes `step`, by a kernel whose launch carries it: many steps may be enqueued ahead. Not to be
  /// captured itself.
  void set(const Exec& exec, std::uint64_t step);

  /// For `Context::recorded_step`; the device's address.
  const std::uint64_t* get() const { return reinterpret_cast<const std::uint64_t*>(memory_.get()); }

 private:
  Block memory_;
};

}  // namespace tw::cuda
