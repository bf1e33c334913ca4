#include "kernels/reduce.hpp"

namespace tw::reference {

void accumulate(const Exec&, std::span<const float> addend, std::span<float> sum) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = sum[i] + addend[i];
}

void divide(const Exec&, std::span<float> values, float divisor) {
  for (float& value : values) value = value / divisor;
}

}  // namespace tw::reference
