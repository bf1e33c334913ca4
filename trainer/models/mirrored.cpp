#include "trainer/models/mirrored.hpp"

#include <utility>

#include "kernels/base/place.hpp"
#include "kernels/cuda/stream.hpp"
#include "trainer/placed_floats.hpp"

namespace tw::trainer {
namespace {

class Mirrored final : public Model {
 public:
  Mirrored(std::unique_ptr<Model> inner, std::uint32_t device)
      : inner_(std::move(inner)), stream_(device), exec_{.backend = Backend::cuda, .device = device} {
    exec_.stream = stream_.get();
    for (const Param& param : inner_->params()) {
      values_.emplace_back(exec_, param.count());
      gradients_.emplace_back(exec_, param.count());
      copy<float>(exec_, inner_->values(param.id), values_.back().span());
    }
  }
  ~Mirrored() override = default;

  std::span<const Param> params() const override { return inner_->params(); }
  Exec exec() const override { return exec_; }
  std::span<float> values(std::uint32_t param) override { return values_[param].span(); }
  std::span<float> gradient(std::uint32_t param) override {
    return inner_->gradient(param).empty() ? std::span<float>() : gradients_[param].span();
  }

  double accumulate_gradients(const Batch& batch, double scale, const GradientReady& ready) override {
    fetch_values();
    const auto send_and_tell = [&](std::uint32_t param) {
      send_gradient(param);
      ready(param);
    };
    const double loss = inner_->accumulate_gradients(batch, scale, ready ? send_and_tell : GradientReady());
    // What was told of belongs to the exchange already.
    if (!ready)
      for (const Param& param : params()) send_gradient(param.id);
    return loss;
  }
  void forget_gradients() override { inner_->forget_gradients(); }

  Evaluation evaluate(const Batch& batch) override {
    fetch_values();
    return inner_->evaluate(batch);
  }

 private:
  void fetch_values() {
    for (const Param& param : params()) copy<float>(exec_, values_[param.id].span(), inner_->values(param.id));
    synchronize(exec_);
  }
  void send_gradient(std::uint32_t param) {
    const std::span<const float> gradient = inner_->gradient(param);
    if (!gradient.empty()) copy<float>(exec_, gradient, gradients_[param].span());
  }

  const std::unique_ptr<Model> inner_;
  const cuda::Stream stream_;
  Exec exec_;
  std::vector<PlacedFloats> values_, gradients_;  // by parameter
};

}  // namespace

std::unique_ptr<Model> mirror_on_device(std::unique_ptr<Model> inner, std::uint32_t device) {
  return std::make_unique<Mirrored>(std::move(inner), device);
}

}  // namespace tw::trainer
