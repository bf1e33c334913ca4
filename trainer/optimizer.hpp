// Stochastic gradient descent with momentum and weight decay (PyTorch's form; Sutskever et al. 2013), run by run, so
// that a bucket can be applied as soon as its mean has arrived:
//
//   v = momentum * v + (g + weight_decay * p);  p = p - learning_rate * v
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <tightwire/types.hpp>

namespace tw::trainer {

/// A run of one parameter as the optimiser sees it: its values, the mean gradient, where it begins.
struct ParamRun {
  std::uint32_t param;
  std::uint64_t first;
  std::span<float> values;
  std::span<const float> gradient;
};

/// Reads gradient, value and momentum once and writes the latter two once, whatever runs the parameters are cut into.
class Sgd {
 public:
  struct Settings {
    double momentum = 0.9;
    double weight_decay = 0;
  };
  Sgd(std::span<const Param> params, const Settings& settings);

  void apply(const ParamRun& run, double learning_rate);

  /// The momentum of one parameter, for checkpoints; zeros at first.
  std::span<float> momentum(std::uint32_t param) { return momentum_[param]; }

 private:
  const Settings settings_;
  std::vector<std::vector<float>> momentum_;  // by parameter
};

}  // namespace tw::trainer
