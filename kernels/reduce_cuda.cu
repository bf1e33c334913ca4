// Bytes an element: accumulate reads 8 and writes 4, divide reads 4 and writes 4.
#include "kernels/cuda/elementwise.hpp"
#include "kernels/reduce.hpp"

namespace tw::cuda {
namespace {

struct Add {
  template <class Access>
  __device__ void operator()(Access at, Findings&, const float* addend, float* sum) const {
    const auto more = at.load(addend);
    auto total = at.load(sum);
    for (int i = 0; i < at.kCount; ++i) total[i] = total[i] + more[i];
    at.store(sum, total);
  }
};

struct DivideBy {
  float divisor;

  template <class Access>
  __device__ void operator()(Access at, Findings&, float* values) const {
    auto value = at.load(values);
    for (int i = 0; i < at.kCount; ++i) value[i] = value[i] / divisor;
    at.store(values, value);
  }
};

}  // namespace

void accumulate(const Exec& exec, std::span<const float> addend, std::span<float> sum) {
  elementwise(exec, sum.size(), Add{}, addend.data(), sum.data());
}

void divide(const Exec& exec, std::span<float> values, float divisor) {
  elementwise(exec, values.size(), DivideBy{divisor}, values.data());
}

}  // namespace tw::cuda
