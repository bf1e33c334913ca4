// Stochastic gradient descent with momentum and weight decay (the formula: kernels/sgd.hpp), run by run, so that a
// bucket can be applied as soon as its mean has arrived.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <tightwire/exec.hpp>
#include <tightwire/types.hpp>

#include "trainer/placed_floats.hpp"

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
  /// Momentum lies where `exec` works.
  Sgd(const Exec& exec, std::span<const Param> params, const Settings& settings);

  /// Enqueues, where `exec` is a device's; the run lies there.
  void apply(const Exec& exec, const ParamRun& run, double learning_rate);

  /// The momentum of one parameter, for checkpoints; zeros at first.
  std::span<float> momentum(std::uint32_t param) { return momentum_[param].span(); }

 private:
  const Settings settings_;
  std::vector<PlacedFloats> momentum_;  // by parameter
};

}  // namespace tw::trainer
