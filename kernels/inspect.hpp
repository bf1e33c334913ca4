// Looks at values that an encode does not read: sets kStatusNonFinite where one is NaN or Inf.
#pragma once

#include <span>

#include "kernels/base/kernel.hpp"

namespace tw {

using Inspect = void(const Exec&, std::span<const float> values);

namespace reference {
Inspect inspect;
}
namespace simd {
Inspect inspect;
}
namespace cuda {
Inspect inspect;
}

inline constexpr Kernel<Inspect> inspect{reference::inspect, simd::inspect, cuda::inspect};

}  // namespace tw
