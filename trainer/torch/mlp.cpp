#include "trainer/torch/mlp.hpp"

#include <torch/nn/modules/activation.h>

#include "trainer/torch/autograd_model.hpp"
#include "trainer/torch/eager_linear.hpp"

namespace tw::trainer {

std::unique_ptr<Model> make_mlp(const MlpParams& params, const ModelShape& shape) {
  torch::nn::Sequential net;
  std::uint64_t inputs = shape.features;
  for (std::uint64_t layer = 0; layer <= params.layers; ++layer) {
    const bool last = layer == params.layers;
    const std::uint64_t outputs = last ? shape.classes : params.hidden;
    net->push_back("layer" + std::to_string(layer),
                   EagerLinear(static_cast<std::int64_t>(inputs), static_cast<std::int64_t>(outputs)));
    if (!last) net->push_back("relu" + std::to_string(layer), torch::nn::ReLU());
    inputs = outputs;
  }
  return std::make_unique<AutogradModel>(std::move(net), shape);
}

}  // namespace tw::trainer
