#include "kernels/math/bits.hpp"
#include "kernels/reduce.hpp"

namespace tw::reference {

void accumulate(const Exec&, std::span<const float> addend, std::span<float> sum) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = sum[i] + addend[i];
}

void divide(const Exec&, std::span<float> values, float divisor) {
  for (float& value : values) value = value / divisor;
}

void average(const Exec& exec, std::span<float> addend, float divisor, std::span<float> sum) {
  for (std::size_t i = 0; i < sum.size(); ++i) {
    const float mean = (sum[i] + addend[i]) / divisor;
    if (!is_finite(mean)) report(exec, kStatusNonFinite);
    sum[i] = addend[i] = canonical(mean);
  }
}

}  // namespace tw::reference
