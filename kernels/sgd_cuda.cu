// Bytes an element: descend reads 12 and writes 8.
#include "kernels/cuda/elementwise.hpp"
#include "kernels/math/sgd.hpp"
#include "kernels/sgd.hpp"

namespace tw::cuda {
namespace {

struct DescendBy {
  SgdRates rates;

  template <class Access>
  __device__ void operator()(Access at, Findings&, const float* gradient, float* velocity, float* values) const {
    const auto slope = at.load(gradient);
    auto speed = at.load(velocity);
    auto value = at.load(values);
    for (int i = 0; i < at.kCount; ++i) {
      speed[i] = next_velocity(speed[i], rates.momentum, slope[i], rates.decay, value[i]);
      value[i] = next_value(value[i], rates.learning, speed[i]);
    }
    at.store(velocity, speed);
    at.store(values, value);
  }
};

}  // namespace

void descend(const Exec& exec, SgdRates rates, std::span<const float> gradient, std::span<float> velocity,
             std::span<float> values) {
  elementwise(exec, values.size(), DescendBy{rates}, gradient.data(), velocity.data(), values.data());
}

}  // namespace tw::cuda
