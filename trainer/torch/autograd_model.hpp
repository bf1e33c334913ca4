// A model that libtorch differentiates. Gradients are torch's own tensors, handed to the exchange in place: the first
// backward pass of a step leaves its results there without a copy, and a hook on each parameter's AccumulateGrad node
// tells when one is complete, while backward goes on. On a CUDA device torch calls that hook in a thread of its own, as
// soon as the gradient is enqueued: the stream of that thread is what the exchange has to come after. Includes torch:
// for sources of this folder only.
#pragma once

#include <torch/nn/modules/container/sequential.h>

#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include "trainer/model.hpp"

namespace tw::trainer {

class AutogradModel final : public Model {
 public:
  /// `net` maps (count x features) to logits (count x classes). Its parameters get their initial values here: uniform
  /// within 1 / sqrt(columns) of the weight, a bias as the weight before it. Then they move to `shape.exec`. Throws as
  /// use_device() does.
  AutogradModel(torch::nn::Sequential net, const ModelShape& shape);
  ~AutogradModel() override;
  AutogradModel(const AutogradModel&) = delete;
  AutogradModel& operator=(const AutogradModel&) = delete;

  std::span<const Param> params() const override { return params_; }
  Exec exec() const override;
  std::span<float> values(std::uint32_t param) override;
  std::span<float> gradient(std::uint32_t param) override;
  double accumulate_gradients(const Batch& batch, double scale, const GradientReady& ready) override;
  void forget_gradients() override;
  Evaluation evaluate(const Batch& batch) override;

 private:
  // A parameter's AccumulateGrad node, which torch holds only weakly, and our hook on it.
  // What torch keeps a node by differs between its versions.
  using NodePointer = decltype(torch::autograd::impl::grad_accumulator(std::declval<const torch::Tensor&>()));
  struct Watched {
    NodePointer node;
    std::uintptr_t hook;
  };

  void initialise(const ModelShape& shape);
  Watched watch(std::uint32_t param);
  void gradient_ready(std::uint32_t param) noexcept;
  torch::Tensor placed(const torch::Tensor& host) const;
  torch::Tensor labels_of(const Batch& batch) const;
  torch::Tensor logits_of(const Batch& batch);

  torch::nn::Sequential net_;
  const std::uint64_t features_;
  const Exec place_;
  const torch::Device device_;  // the same
  std::vector<Param> params_;
  std::vector<torch::Tensor> tensors_;    // by parameter
  std::vector<Watched> watched_;          // by parameter
  const GradientReady* ready_ = nullptr;  // while backward runs
  std::exception_ptr thrown_;             // by `ready_`
};

}  // namespace tw::trainer
