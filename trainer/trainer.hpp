// One rank's training run: the loop over steps, validation, checkpoints, and what is told about it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include <tightwire/communicator.hpp>
#include <tightwire/connect.hpp>

#include "trainer/checkpoint.hpp"
#include "trainer/dataset.hpp"
#include "trainer/gradient_exchange.hpp"
#include "trainer/metrics.hpp"
#include "trainer/model.hpp"
#include "trainer/optimizer.hpp"
#include "trainer/options.hpp"
#include "trainer/progress.hpp"
#include "trainer/sampler.hpp"

namespace tw::trainer {

/// Made and run by one thread. Only rank 0 writes metrics, summary and progress.
class Trainer {
 public:
  /// `dataset` and `told` (where progress goes) outlive this.
  Trainer(const TrainOptions& options, const Dataset& dataset, std::unique_ptr<Model> model, TransportPtr transport,
          std::ostream& told);

  /// Trains to the end. Collective: every rank returns the same hash and accuracy. Whatever it throws, the other ranks
  /// are told first.
  Summary run();

 private:
  void prepare();
  void resume();
  void train_step();
  StepOutcome descend(double learning_rate);
  void apply(const Piece& piece, double learning_rate);
  void after_step(std::uint64_t epoch_before);
  void validate();
  void checkpoint();
  Summary summarise();
  double learning_rate() const;
  Deadline deadline() const { return Deadline::in(options_.deadline_seconds); }
  template <class T>
  std::vector<T> gather(const T& value);
  // Runs a check that comes out alike on every rank. Its failure needs no abort, which could overtake what a slower
  // rank is about to find by itself.
  template <class Check>
  void in_common(Check check) {
    in_common_ = true;
    check();
    in_common_ = false;
  }
  void compare_parameters(const std::string& when);

  const TrainOptions options_;
  const Dataset& dataset_;
  // Buckets under way use the memory of these two: they go after the communicator.
  const std::unique_ptr<Model> model_;
  std::optional<GradientExchange> exchange_;  // none with --exchange off
  Communicator communicator_;
  Sgd optimizer_;
  Sampler sampler_;
  const std::uint64_t total_steps_;
  const std::string configuration_;

  bool in_common_ = false;
  std::uint64_t step_ = 0, first_step_ = 0;
  double loss_ = 0;  // of the last step
  Batch batch_;
  Evaluation evaluation_;  // of the last validation, over all ranks
  StepStatistics statistics_;
  MetricsFile metrics_;
  Progress progress_;
};

}  // namespace tw::trainer
