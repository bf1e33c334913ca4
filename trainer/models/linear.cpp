#include "trainer/models/linear.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "trainer/models/mirrored.hpp"

namespace tw::trainer {
namespace {

constexpr std::uint32_t kWeight = 0, kBias = 1;

class Linear final : public Model {
 public:
  explicit Linear(const ModelShape& shape)
      : features_(shape.features),
        classes_(shape.classes),
        params_{Param{"weight", kWeight, shape.classes, shape.features, DType::f32},
                Param{"bias", kBias, 1, shape.classes, DType::f32}},
        logits_(shape.classes) {
    const float bound = 1.0f / std::sqrt(static_cast<float>(features_));
    for (const Param& param : params_) {
      values_[param.id].resize(param.count());
      gradients_[param.id].resize(param.count());
      fill_uniform(values_[param.id], bound, shape.seed, param.id);
    }
  }

  std::span<const Param> params() const override { return params_; }
  std::span<float> values(std::uint32_t param) override { return values_[param]; }
  std::span<float> gradient(std::uint32_t param) override {
    return has_gradient_ ? std::span<float>(gradients_[param]) : std::span<float>();
  }

  double accumulate_gradients(const Batch& batch, double scale, const GradientReady& ready) override {
    double loss = 0;
    for (std::uint64_t i = 0; i < batch.count(); ++i) {
      const std::span<const float> image = image_of(batch, i);
      forward(image);
      loss += softmax(batch.labels[i]);
      logits_[static_cast<std::size_t>(batch.labels[i])] -= 1.0f;  // softmax's derivative
      backward(image, static_cast<float>(scale / static_cast<double>(batch.count())));
    }
    has_gradient_ = true;
    if (ready)
      for (const std::uint32_t param : {kBias, kWeight}) ready(param);
    return loss / static_cast<double>(batch.count());
  }

  void forget_gradients() override {
    for (auto& gradient : gradients_) std::fill(gradient.begin(), gradient.end(), 0.0f);
    has_gradient_ = false;
  }

  Evaluation evaluate(const Batch& batch) override {
    Evaluation result;
    for (std::uint64_t i = 0; i < batch.count(); ++i) {
      forward(image_of(batch, i));
      const auto best = std::max_element(logits_.begin(), logits_.end()) - logits_.begin();
      result.correct += best == batch.labels[i] ? 1 : 0;
      result.loss += softmax(batch.labels[i]);
    }
    result.count = batch.count();
    return result;
  }

 private:
  std::span<const float> image_of(const Batch& batch, std::uint64_t sample) const {
    return std::span(batch.images).subspan(sample * features_, features_);
  }

  void forward(std::span<const float> image) {
    for (std::uint32_t c = 0; c < classes_; ++c) {
      const float* row = values_[kWeight].data() + c * features_;
      float sum = values_[kBias][c];
      for (std::uint64_t f = 0; f < features_; ++f) sum += row[f] * image[f];
      logits_[c] = sum;
    }
  }

  // Turns logits into probabilities; returns the cross entropy with `label`.
  double softmax(std::int64_t label) {
    const float largest = *std::max_element(logits_.begin(), logits_.end());
    const double at_label = logits_[static_cast<std::size_t>(label)] - largest;
    float sum = 0;
    for (float& value : logits_) sum += value = std::exp(value - largest);
    for (float& value : logits_) value /= sum;
    return std::log(double{sum}) - at_label;
  }

  void backward(std::span<const float> image, float scale) {
    for (std::uint32_t c = 0; c < classes_; ++c) {
      const float slope = scale * logits_[c];
      float* row = gradients_[kWeight].data() + c * features_;
      for (std::uint64_t f = 0; f < features_; ++f) row[f] += slope * image[f];
      gradients_[kBias][c] += slope;
    }
  }

  const std::uint64_t features_;
  const std::uint32_t classes_;
  const std::array<Param, 2> params_;
  std::array<std::vector<float>, 2> values_, gradients_;
  std::vector<float> logits_;
  bool has_gradient_ = false;
};

}  // namespace

std::unique_ptr<Model> make_linear(const LinearParams&, const ModelShape& shape) {
  auto model = std::make_unique<Linear>(shape);
  if (shape.exec.backend != Backend::cuda) return model;
  return mirror_on_device(std::move(model), shape.exec.device);
}

}  // namespace tw::trainer
