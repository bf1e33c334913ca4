// Bytes an element, read and written: correct and remainder 8 + 4.
#include "kernels/feedback.hpp"

#include "kernels/cuda/elementwise.hpp"

namespace tw::cuda {
namespace {

struct Sum {
  template <class Access>
  __device__ void operator()(Access at, Findings&, const float* gradient, const float* residual, float* p) const {
    auto value = at.load(gradient);
    const auto more = at.load(residual);
    for (int i = 0; i < at.kCount; ++i) value[i] = value[i] + more[i];
    at.store(p, value);
  }
};

struct Difference {
  template <class Access>
  __device__ void operator()(Access at, Findings&, const float* p, const float* own, float* next) const {
    auto value = at.load(p);
    const auto less = at.load(own);
    for (int i = 0; i < at.kCount; ++i) value[i] = value[i] - less[i];
    at.store(next, value);
  }
};

}  // namespace

void correct(const Exec& exec, std::span<const float> gradient, std::span<const float> residual, std::span<float> p) {
  elementwise(exec, p.size(), Sum{}, gradient.data(), residual.data(), p.data());
}

void remainder(const Exec& exec, std::span<const float> p, std::span<const float> own, std::span<float> next) {
  elementwise(exec, next.size(), Difference{}, p.data(), own.data(), next.data());
}

}  // namespace tw::cuda
