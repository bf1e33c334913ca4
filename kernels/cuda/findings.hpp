// What a kernel tells its caller through the status word (`StatusBit`), as `report` does on the host.
#pragma once

#include <cstdint>

#include <tightwire/exec.hpp>

#include "kernels/cuda/warp.hpp"
#include "kernels/math/bits.hpp"

namespace tw::cuda {

/// A thread's findings. Costs one comparison an element, and an atomic a warp where something was found.
class Findings {
 public:
  __device__ void look(float value) { found_ |= is_finite(value) ? 0u : kStatusNonFinite; }
  __device__ void add(StatusBit bit) { found_ |= bit; }

  /// By all lanes of a warp, at the end. `status` may be null.
  __device__ void report(std::uint32_t* status) const {
    const std::uint32_t found = __reduce_or_sync(kAllLanes, found_);
    if (found != 0 && status != nullptr && lane() == 0) atomicOr(status, found);
  }

 private:
  std::uint32_t found_ = 0;
};

}  // namespace tw::cuda
