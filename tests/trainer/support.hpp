// What the trainer's tests share: a folder that goes away, IDX files, a small data set, ranks as threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "trainer/dataset.hpp"
#include "trainer/metrics.hpp"
#include "trainer/model.hpp"
#include "trainer/options.hpp"

namespace tw::trainer {

/// A new folder under the system's temporary one, removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string path(const std::string& name) const { return path_ / name; }
  std::string path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::vector<std::uint8_t> read_bytes(const std::string& path);
void write_bytes(const std::string& path, std::span<const std::uint8_t> bytes);

/// An IDX file's bytes, header and all.
std::vector<std::uint8_t> idx_bytes(const std::vector<std::uint32_t>& dimensions, std::span<const std::uint8_t> values);
/// Writes `bytes` compressed.
void write_gzip(const std::string& path, std::span<const std::uint8_t> bytes);

/// 8x8 pictures of 4 classes, each a pattern of its own under noise: quick to learn, the same every time.
Dataset small_dataset(std::uint64_t train = 192, std::uint64_t test = 64);
/// Writes a data set as Fashion-MNIST's four files.
void write_dataset(const std::string& folder, const Dataset& dataset);

/// Options for quick runs on `small_dataset`: model linear, 2 ranks' worth of small batches, quiet.
TrainOptions quick_options();

/// Makes rank `rank`'s model.
using MakeModel = std::function<std::unique_ptr<Model>(std::uint32_t rank)>;
/// Trains `ranks` threads over loopback; results by rank. Throws what the lowest failing rank threw.
std::vector<Summary> train(const TrainOptions& options, const Dataset& dataset, std::uint32_t ranks,
                           const MakeModel& make = {});
/// The words of the errors by rank; empty where a rank succeeded.
std::vector<std::string> train_failing(const TrainOptions& options, const Dataset& dataset, std::uint32_t ranks,
                                       const MakeModel& make = {});

/// "linear" for small_dataset, from `seed`, where `exec` works.
std::unique_ptr<Model> small_model(const Dataset& dataset, std::uint64_t seed, const std::string& spec = "linear",
                                   const Exec& exec = {});

/// Has no gradient for parameter 1 where it is `partial`, as of a branch that was not taken.
std::unique_ptr<Model> partial_model(std::unique_ptr<Model> inner, bool partial);

/// A model that passes everything on to another: the base of models with faults.
class ForwardingModel : public Model {
 public:
  explicit ForwardingModel(std::unique_ptr<Model> inner) : inner_(std::move(inner)) {}
  std::span<const Param> params() const override { return inner_->params(); }
  Exec exec() const override { return inner_->exec(); }
  std::span<float> values(std::uint32_t param) override { return inner_->values(param); }
  std::span<float> gradient(std::uint32_t param) override { return inner_->gradient(param); }
  double accumulate_gradients(const Batch& batch, double scale, const GradientReady& ready) override {
    return inner_->accumulate_gradients(batch, scale, ready);
  }
  void forget_gradients() override { inner_->forget_gradients(); }
  Evaluation evaluate(const Batch& batch) override { return inner_->evaluate(batch); }

 protected:
  std::unique_ptr<Model> inner_;
};

}  // namespace tw::trainer
