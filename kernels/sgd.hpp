// Stochastic gradient descent with momentum and weight decay (PyTorch's form; Sutskever et al. 2013). All in f32,
// elements independent of each other, nothing is reported:
//
//   v' = flushed(momentum * v + (g + decay * p));  p' = flushed(p - rate * v')
//
// Momentum decays into denormals and would stay there (0.9 times the smallest rounds to itself), where each costs a CPU
// a hundred cycles. What is kept is flushed by the formula, not by a mode of the processor: CPUs and GPUs differ in
// those, and parameters must not.
#pragma once

#include <span>

#include "kernels/base/kernel.hpp"

namespace tw {

struct SgdRates {
  float learning, momentum, decay;
};

/// Equal lengths. Which NaN is left where the value is one is not specified: such a step never commits.
using Descend = void(const Exec&, SgdRates rates, std::span<const float> gradient, std::span<float> velocity,
                     std::span<float> values);

namespace reference {
Descend descend;
}
namespace simd {
Descend descend;
}
namespace cuda {
Descend descend;
}

inline constexpr Kernel<Descend> descend{reference::descend, simd::descend, cuda::descend};

}  // namespace tw
