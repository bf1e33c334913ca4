#include "kernels/feedback.hpp"

namespace tw::reference {

void correct(const Exec&, std::span<const float> gradient, std::span<const float> residual, std::span<float> p) {
  for (std::size_t i = 0; i < p.size(); ++i) p[i] = gradient[i] + residual[i];
}

void remainder(const Exec&, std::span<const float> p, std::span<const float> own, std::span<float> next) {
  for (std::size_t i = 0; i < next.size(); ++i) next[i] = p[i] - own[i];
}

}  // namespace tw::reference
