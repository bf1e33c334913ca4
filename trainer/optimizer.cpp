#include "trainer/optimizer.hpp"

#include "kernels/base/check.hpp"

namespace tw::trainer {
namespace {

struct Rates {
  float learning, momentum, decay;
};

void descend(Rates rates, const float* __restrict gradient, float* __restrict values, float* __restrict momentum,
             std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    momentum[i] = rates.momentum * momentum[i] + (gradient[i] + rates.decay * values[i]);
    values[i] = values[i] - rates.learning * momentum[i];
  }
}

}  // namespace

Sgd::Sgd(std::span<const Param> params, const Settings& settings) : settings_(settings) {
  for (const Param& param : params) momentum_.emplace_back(param.count());
}

void Sgd::apply(const ParamRun& run, double learning_rate) {
  std::vector<float>& momentum = momentum_[run.param];
  TW_CHECK(run.values.size() == run.gradient.size() && run.first + run.values.size() <= momentum.size(), UsageError,
           "a run of ", run.values.size(), " values and ", run.gradient.size(), " gradients from element ", run.first,
           " of a parameter of ", momentum.size());
  const Rates rates{static_cast<float>(learning_rate), static_cast<float>(settings_.momentum),
                    static_cast<float>(settings_.weight_decay)};
  descend(rates, run.gradient.data(), run.values.data(), momentum.data() + run.first, run.values.size());
}

}  // namespace tw::trainer
