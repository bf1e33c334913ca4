#include "kernels/math/sgd.hpp"
#include "kernels/sgd.hpp"

namespace tw::reference {

void descend(const Exec&, SgdRates rates, std::span<const float> gradient, std::span<float> velocity,
             std::span<float> values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    velocity[i] = next_velocity(velocity[i], rates.momentum, gradient[i], rates.decay, values[i]);
    values[i] = next_value(values[i], rates.learning, velocity[i]);
  }
}

}  // namespace tw::reference
