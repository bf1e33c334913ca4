// Bytes an element: accumulate reads 8 and writes 4, divide reads 4 and writes 4, average reads 8 and writes 8.
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

struct AverageBy {
  float divisor;

  template <class Access>
  __device__ void operator()(Access at, Findings& findings, float* addend, float* sum) const {
    const auto more = at.load(addend);
    auto mean = at.load(sum);
    for (int i = 0; i < at.kCount; ++i) {
      mean[i] = (mean[i] + more[i]) / divisor;
      findings.look(mean[i]);
      mean[i] = canonical(mean[i]);
    }
    at.store(sum, mean);
    at.store(addend, mean);
  }
};

}  // namespace

void accumulate(const Exec& exec, std::span<const float> addend, std::span<float> sum) {
  elementwise(exec, sum.size(), Add{}, addend.data(), sum.data());
}

void divide(const Exec& exec, std::span<float> values, float divisor) {
  elementwise(exec, values.size(), DivideBy{divisor}, values.data());
}

void average(const Exec& exec, std::span<float> addend, float divisor, std::span<float> sum) {
  elementwise(exec, sum.size(), AverageBy{divisor}, addend.data(), sum.data());
}

}  // namespace tw::cuda
