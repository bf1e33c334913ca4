#include "trainer/optimizer.hpp"

#include "kernels/base/check.hpp"
#include "kernels/base/float_mode.hpp"
#include "kernels/sgd.hpp"

namespace tw::trainer {

Sgd::Sgd(const Exec& exec, std::span<const Param> params, const Settings& settings) : settings_(settings) {
  for (const Param& param : params) momentum_.emplace_back(exec, param.count());
}

void Sgd::apply(const Exec& exec, const ParamRun& run, double learning_rate) {
  const std::span<float> momentum = momentum_[run.param].span();
  TW_CHECK(run.values.size() == run.gradient.size() && run.first + run.values.size() <= momentum.size(), UsageError,
           "a run of ", run.values.size(), " values and ", run.gradient.size(), " gradients from element ", run.first,
           " of a parameter of ", momentum.size());
  const SgdRates rates{static_cast<float>(learning_rate), static_cast<float>(settings_.momentum),
                       static_cast<float>(settings_.weight_decay)};
  const ScopedFloatMode mode(FloatMode::ieee);  // the formula's bits, whatever the trainer's thread is set to
  descend(exec, rates, run.gradient, momentum.subspan(run.first, run.values.size()), run.values);
}

}  // namespace tw::trainer
