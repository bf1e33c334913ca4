// What a run tells: where the main thread's time went, one line of JSON a step, and a summary.
#pragma once

#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <tightwire/communicator.hpp>

#include "trainer/model.hpp"
#include "trainer/options.hpp"

namespace tw::trainer {

/// Where a step's time on the main thread went: `total` is the sum of the others. What it waited for is named by what
/// the communicator's thread did meanwhile.
struct StepTimes {
  double total = 0;
  double compute = 0;  ///< model, optimiser, everything that is no wait
  double encode = 0;
  double exposed_comm = 0;
  double decode = 0;
  std::uint64_t sent_bytes = 0;
};

/// The times between two looks at the communicator's counters.
StepTimes step_times(double seconds, const Stats& before, const Stats& after);

/// Means over steps, without the first few (5, or a third of them if there are fewer than 15), in which memory is still
/// being taken and caches are cold.
class StepStatistics {
 public:
  void add(const StepTimes& times) { steps_.push_back(times); }

  std::uint64_t warmup_steps() const;
  double median_seconds() const;
  StepTimes mean() const;  ///< sent_bytes rounded down

 private:
  std::span<const StepTimes> measured() const;
  std::vector<StepTimes> steps_;
};

/// One line of the metrics file.
struct StepReport {
  std::uint64_t step;   ///< steps done, this one included
  std::uint64_t epoch;  ///< that it began in
  double loss;          ///< of this rank, over the step's samples
  double learning_rate;
  StepTimes times;
  StepOutcome outcome;
};

/// JSON lines, flushed one by one so that they can be followed. Throws SystemError where it cannot write.
class MetricsFile {
 public:
  /// An empty path makes one that writes nothing.
  explicit MetricsFile(const std::string& path);
  void step(const StepReport& report);
  void validation(std::uint64_t step, const Evaluation& evaluation);

 private:
  void line(const std::string& text);

  std::string path_;
  std::ofstream file_;
};

/// What a run came to. Times are of this rank; bytes on the wire are means over ranks.
struct Summary {
  std::uint32_t rank = 0;  ///< whose summary this is
  std::uint32_t ranks = 1;
  std::string transport;           ///< its name
  std::string device = "cpu";      ///< where its parameters lie
  std::uint64_t steps = 0;         ///< in all
  std::uint64_t first_step = 0;    ///< where this run took up a checkpoint
  std::uint64_t warmup_steps = 0;  ///< that the times leave out
  std::uint64_t parameters = 0;
  double step_seconds_median = 0;
  StepTimes mean;
  std::uint64_t wire_bytes_per_step = 0;   ///< what a rank hands to the transport: frames and votes, headers included
  std::uint64_t dense_bytes_per_step = 0;  ///< what it would send in f32: 2 (ranks - 1) / ranks * 4 * parameters
  std::uint64_t skipped_steps = 0;
  std::uint64_t absent_gradients = 0;  ///< of this rank
  std::uint64_t state_bytes = 0;       ///< memories of this rank, both buffers
  std::uint32_t buckets = 0;
  std::uint32_t overlapped_buckets = 0;  ///< handed over before the last gradient was complete, in the last step
  double test_accuracy = 0;
  double test_loss = 0;
  std::optional<double> final_loss;  ///< of the last step, mean over ranks; none where no step was left to do
  std::string parameters_hash;
};

/// The summary with its conditions, as the JSON of `--summary`.
std::string summary_json(const Summary& summary, const TrainOptions& options);

}  // namespace tw::trainer
