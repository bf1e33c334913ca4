// What the training loop knows of a model: named parameters, their values and gradients as flat runs, and a backward
// pass that says when each gradient is complete. And the table of models that `--model` names.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tightwire/exec.hpp>
#include <tightwire/types.hpp>

#include "compress/params_visitors.hpp"
#include "trainer/dataset.hpp"

namespace tw::trainer {

/// How a model does on a batch.
struct Evaluation {
  double loss = 0;  ///< cross entropy, summed over the samples
  std::uint64_t correct = 0;
  std::uint64_t count = 0;

  double mean_loss() const { return loss / static_cast<double>(count); }
  double accuracy() const { return static_cast<double>(correct) / static_cast<double>(count); }
  friend Evaluation operator+(const Evaluation& a, const Evaluation& b) {
    return {a.loss + b.loss, a.correct + b.correct, a.count + b.count};
  }
};

/// One rank's replica. Not thread safe; replicas in several threads do not disturb each other. Its values and gradients
/// lie where `exec()` works: with Backend::cuda their addresses are the device's.
class Model {
 public:
  virtual ~Model() = default;

  /// Where they lie, and the stream that the calling thread's work on them is ordered by.
  virtual Exec exec() const { return {}; }
  /// In the order in which the forward pass uses them; ids are 0, 1, 2, ...
  virtual std::span<const Param> params() const = 0;
  virtual std::span<float> values(std::uint32_t param) = 0;
  /// The gradient gathered since `forget_gradients`; empty where the backward pass gave none. Stays in place until
  /// then.
  virtual std::span<float> gradient(std::uint32_t param) = 0;

  /// Called while backward goes on, once a parameter, by any one thread; the gradient is there in the order of that
  /// thread's stream.
  using GradientReady = std::function<void(std::uint32_t param)>;
  /// Adds `scale` times the gradient of the batch's mean cross entropy, and returns that cross entropy. `ready` may be
  /// empty; what it throws comes out of here.
  virtual double accumulate_gradients(const Batch& batch, double scale, const GradientReady& ready) = 0;
  virtual void forget_gradients() = 0;

  virtual Evaluation evaluate(const Batch& batch) = 0;
};

/// What a model is made for.
struct ModelShape {
  std::uint64_t features;
  std::uint32_t classes;
  std::uint64_t seed;  ///< of the initial values: equal seeds give equal parameters on every rank and device
  Exec exec = {};      ///< where values and gradients are to lie: backend and device
};

/// A row of the table: `name[:key=value,...]` in the grammar of specs.
struct ModelRow {
  std::string_view name;
  std::string_view summary;
  std::unique_ptr<Model> (*make)(const SpecTerm& term, const ModelShape& shape);
  /// The term with every parameter written out.
  SpecTerm (*canonical)(const SpecTerm& term);
  std::vector<ParamDescription> (*describe)();
};
std::span<const ModelRow> model_table();

/// Throws UsageError for unknown names, keys and values, answered with the known ones.
std::unique_ptr<Model> make_model(std::string_view spec, const ModelShape& shape);
std::string canonical_model(std::string_view spec);

/// Fills `values` uniformly from [-bound, bound), a pure function of (seed, param, element): Philox key = seed,
/// counter = (element / 4, 0, param, 'I'), word element % 4.
void fill_uniform(std::span<float> values, float bound, std::uint64_t seed, std::uint32_t param);

/// Threads that one model's arithmetic may use, for all models of this process; call it in each thread that trains.
void set_compute_threads(std::uint32_t threads);
/// Who does the models' arithmetic: "libtorch 1.13.1", "none".
std::string compute_library();

}  // namespace tw::trainer
