#include "trainer/torch/autograd_model.hpp"

#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/utils/lambda_post_hook.h>
#include <torch/csrc/autograd/variable.h>
#include <torch/nn/functional/loss.h>

#include <cmath>
#include <utility>

#include "trainer/torch/device.hpp"

namespace tw::trainer {
namespace {

Param describe(const std::string& name, std::uint32_t id, const torch::Tensor& tensor) {
  const auto count = static_cast<std::uint64_t>(tensor.numel());
  const std::uint64_t rows = tensor.dim() < 2 ? 1 : static_cast<std::uint64_t>(tensor.size(0));
  return {name, id, rows, count / rows, DType::f32};
}

std::span<float> floats_of(const torch::Tensor& tensor) {
  return {tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
}

torch::Device device_of(const Exec& exec) {
  use_device(exec);
  if (exec.backend != Backend::cuda) return torch::kCPU;
  return {torch::kCUDA, static_cast<c10::DeviceIndex>(exec.device)};
}

}  // namespace

AutogradModel::AutogradModel(torch::nn::Sequential net, const ModelShape& shape)
    : net_(std::move(net)), features_(shape.features), place_(shape.exec), device_(device_of(shape.exec)) {
  initialise(shape);
  if (!device_.is_cpu()) net_->to(device_);  // before nodes are watched: they belong to a device
  for (const Param& param : params_) watched_.push_back(watch(param.id));
}

// On the host, so that every device begins with the same bits.
void AutogradModel::initialise(const ModelShape& shape) {
  float bound = 0;
  for (const auto& item : net_->named_parameters()) {
    const auto id = static_cast<std::uint32_t>(params_.size());
    params_.push_back(describe(item.key(), id, item.value()));
    tensors_.push_back(item.value());
    if (params_.back().rows > 1) bound = 1.0f / std::sqrt(static_cast<float>(params_.back().cols));
    fill_uniform(values(id), bound, shape.seed, id);
  }
}

AutogradModel::~AutogradModel() {
  for (const Watched& watched : watched_) watched.node->del_post_hook(watched.hook);
}

AutogradModel::Watched AutogradModel::watch(std::uint32_t param) {
  auto node = torch::autograd::impl::grad_accumulator(tensors_[param]);
  const auto hook = node->add_post_hook(std::make_unique<torch::autograd::utils::LambdaPostHook>(
      [this, param](const torch::autograd::variable_list& outputs, const torch::autograd::variable_list&) {
        gradient_ready(param);
        return outputs;
      }));
  return {std::move(node), hook};
}

// Exceptions must not travel through torch's engine, which would give them another type.
void AutogradModel::gradient_ready(std::uint32_t param) noexcept {
  if (ready_ == nullptr || !*ready_ || thrown_) return;
  try {
    (*ready_)(param);
  } catch (...) {
    thrown_ = std::current_exception();
  }
}

Exec AutogradModel::exec() const { return on_current_stream(place_); }

std::span<float> AutogradModel::values(std::uint32_t param) { return floats_of(tensors_[param]); }

std::span<float> AutogradModel::gradient(std::uint32_t param) {
  const torch::Tensor& gradient = tensors_[param].grad();
  if (!gradient.defined()) return {};
  return floats_of(gradient);
}

// To a device through pinned memory, which torch keeps until the copy is done: nobody waits for it.
torch::Tensor AutogradModel::placed(const torch::Tensor& host) const {
  return device_.is_cpu() ? host : host.pin_memory().to(device_, /*non_blocking=*/true);
}

// On the host a view: the batch outlives the pass over it.
torch::Tensor AutogradModel::labels_of(const Batch& batch) const {
  return placed(torch::from_blob(const_cast<std::int64_t*>(batch.labels.data()),
                                 {static_cast<std::int64_t>(batch.count())}, torch::kInt64));
}

torch::Tensor AutogradModel::logits_of(const Batch& batch) {
  return net_->forward(
      placed(torch::from_blob(const_cast<float*>(batch.images.data()),
                              {static_cast<std::int64_t>(batch.count()), static_cast<std::int64_t>(features_)})));
}

double AutogradModel::accumulate_gradients(const Batch& batch, double scale, const GradientReady& ready) {
  const torch::Tensor loss = torch::nn::functional::cross_entropy(logits_of(batch), labels_of(batch));
  ready_ = &ready;
  loss.backward(torch::full({}, scale, loss.options()));
  ready_ = nullptr;
  if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
  return loss.item<double>();
}

void AutogradModel::forget_gradients() {
  for (torch::Tensor& tensor : tensors_) tensor.mutable_grad().reset();
}

Evaluation AutogradModel::evaluate(const Batch& batch) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor logits = logits_of(batch), labels = labels_of(batch);
  const auto options = torch::nn::functional::CrossEntropyFuncOptions().reduction(torch::kSum);
  Evaluation result;
  result.loss = torch::nn::functional::cross_entropy(logits, labels, options).item<double>();
  result.correct = static_cast<std::uint64_t>(logits.argmax(1).eq(labels).sum().item<std::int64_t>());
  result.count = batch.count();
  return result;
}

}  // namespace tw::trainer
