#include "trainer/configuration.hpp"

#include <charconv>

#include "compress/compressor.hpp"
#include "kernels/base/check.hpp"
#include "trainer/model.hpp"
#include "trainer/schedule.hpp"

namespace tw::trainer {
namespace {

// Every digit: ranks with different values must not look alike.
std::string exact(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

std::string describe_exchange(const TrainOptions& options) {
  if (!options.exchange) return "off";
  return options.algorithm + "\n" + CompressorTable(options.codec, options.codec_for).description();
}

std::string describe_schedule(const TrainOptions& options, std::uint64_t total_steps) {
  const Schedule& schedule = find_schedule(options.schedule);
  std::string text(schedule.name);
  return schedule.needs_total ? text.append(detail::concat(" over ", total_steps, " steps")) : text;
}

}  // namespace

std::string describe_training(const TrainOptions& options, const Dataset& dataset, std::uint32_t ranks) {
  const std::uint64_t steps = options.total_steps(dataset.train.count(), ranks);
  return detail::concat(
      "model: ", canonical_model(options.model), "\ndataset: ", dataset.name, " with ", dataset.train.count(),
      " samples of ", dataset.features, "\nranks: ", ranks, "\nbatch: ", options.batch, " x ", options.accumulate,
      "\nlearning rate: ", exact(options.learning_rate), "\nschedule: ", describe_schedule(options, steps),
      "\nmomentum: ", exact(options.momentum), "\nweight decay: ", exact(options.weight_decay),
      "\nseed: ", options.seed, "\nexchange: ", describe_exchange(options), "\n");
}

}  // namespace tw::trainer
