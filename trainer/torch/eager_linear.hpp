// A linear layer whose weight gradient is complete before its input gradient is begun. In torch's own both come out of
// one node, so the exchange of the weights, usually the largest there are, would start a matrix product late.
//
//   y = x W^T + b;  backward: first dW = dy^T x and db = sum dy, handed over at once, then dx = dy W
//
// Includes torch: for sources of this folder only.
#pragma once

#include <torch/nn/cloneable.h>
#include <torch/nn/pimpl.h>

namespace tw::trainer {

/// Parameters "weight" (outputs x inputs) and "bias", uninitialised.
class EagerLinearImpl : public torch::nn::Cloneable<EagerLinearImpl> {
 public:
  EagerLinearImpl(std::int64_t inputs, std::int64_t outputs);
  void reset() override;
  torch::Tensor forward(const torch::Tensor& input);

 private:
  std::int64_t inputs_, outputs_;
  torch::Tensor weight_, bias_;
};
TORCH_MODULE(EagerLinear);

}  // namespace tw::trainer
