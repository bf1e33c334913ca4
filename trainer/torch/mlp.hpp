// mlp: a multi-layer perceptron on libtorch: features - hidden - ... - hidden - classes, ReLU between, `layers` hidden
// ones. With the defaults on 28x28 pictures: 784-2048-2048-10, 5.8 million parameters.
#pragma once

#include "trainer/model.hpp"

namespace tw::trainer {

struct MlpParams {
  std::uint64_t hidden = 2048;
  std::uint64_t layers = 2;

  static constexpr std::string_view kName = "mlp";
  static constexpr std::string_view kSummary = "perceptron with ReLU, features-2048-2048-classes; on libtorch";
  static void declare(MlpParams& p, ParamVisitor& v) {
    v.integer("hidden", p.hidden, {1, 1 << 16}, "neurons of a hidden layer");
    v.integer("layers", p.layers, {0, 64}, "hidden layers");
  }
};

/// Throws UsageError where the build has no libtorch.
std::unique_ptr<Model> make_mlp(const MlpParams& params, const ModelShape& shape);

}  // namespace tw::trainer
