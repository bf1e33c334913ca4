// The only source of the trainer that includes CLI11, which costs seconds.
#include "trainer/options.hpp"

#include <tightwire/version.hpp>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <limits>

#include "collectives/algorithm.hpp"
#include "compress/compressor.hpp"
#include "kernels/base/check.hpp"
#include "tools/device.hpp"
#include "trainer/model.hpp"
#include "trainer/schedule.hpp"

namespace tw::trainer {
namespace {

constexpr std::uint64_t kMany = std::uint64_t{1} << 40;

// A flag that takes one of two words.
void add_choice(CLI::App& app, const std::string& name, bool& value, const std::string& yes, const std::string& no,
                const std::string& help) {
  app.add_option_function<std::string>(
         name, [&value, yes](const std::string& word) { value = word == yes; }, help)
      ->check(CLI::IsMember({yes, no}))
      ->type_name(yes + "|" + no)
      ->default_str(value ? yes : no);
}

template <class T>
CLI::Option* add(CLI::App& app, const std::string& name, T& value, const std::string& help) {
  return app.add_option(name, value, help)->capture_default_str();
}

void declare_work(CLI::App& app, TrainOptions& o) {
  add(app, "--model", o.model, "what is trained: mlp[:hidden=2048,layers=2] or linear");
  add(app, "--dataset", o.dataset, "what it is trained on");
  app.add_option("--data-dir", o.data_dir, "folder of the data set's files, if not where the package puts them");
  add(app, "--batch", o.batch, "samples of one rank's backward pass")->check(CLI::Range(std::uint64_t{1}, kMany));
  add(app, "--accumulate", o.accumulate, "backward passes a step")->check(CLI::Range(std::uint64_t{1}, kMany));
  auto* steps = app.add_option("--steps", o.steps, "steps in all, those before --resume included");
  app.add_option("--epochs", o.epochs, "passes over the training set in all (default 1)")->excludes(steps);
  add(app, "--stop-after", o.stop_after, "end early after this step, as an interruption would; 0: do not");
  add(app, "--schedule", o.schedule, "learning rate over time: constant or cosine");
  add(app, "--lr", o.learning_rate, "learning rate");
  add(app, "--momentum", o.momentum, "momentum");
  add(app, "--weight-decay", o.weight_decay, "weight decay");
  add(app, "--seed", o.seed, "of initial values, sample order and codecs");
  add(app, "--device", o.device,
      "where parameters and gradients lie: cpu, cuda:N, or cuda, which deals a machine's devices to its ranks in turn");
  add(app, "--threads", o.threads, "threads of one rank's arithmetic")->check(CLI::Range(1, 1024));
}

void declare_exchange(CLI::App& app, TrainOptions& o) {
  add(app, "--codec", o.codec, "how gradients are coded, such as int8:block=256+ef");
  app.add_option("--codec-for", o.codec_for, "PATTERN SPEC: another codec for some parameters; may be repeated");
  add(app, "--algorithm", o.algorithm, "how they are all-reduced");
  add(app, "--transport", o.transport,
      "tcp, ucx, nccl (for --device cuda), loopback (ranks are threads), a wrapper round one of them, or auto: "
      "loopback, but with a launcher tcp");
  app.add_option("--interface", o.interface, "network interface to bind to");
  add_choice(app, "--exchange", o.exchange, "on", "off", "off: every rank trains alone, the floor of any exchange");
  add_choice(app, "--checksum", o.checksum, "crc32c", "none", "of every frame");
  add(app, "--deadline", o.deadline_seconds, "seconds that any wait for other ranks may take");
  add(app, "--bucket-bytes", o.bucket_bytes, "gradients that travel together; larger ones are spread over several")
      ->transform(CLI::AsSizeValue(false));
  add(app, "--hash-every", o.hash_every, "compare the parameters of all ranks every so many steps; 0: never");
  app.add_option("--ranks", o.ranks, "how many ranks; without a launcher they are started here");
  app.add_option("--rank", o.rank, "which of them this process is");
  app.add_option("--lab", o.lab, "run the ranks in network namespaces with links of this rate, such as 1gbit");
}

void declare_files(CLI::App& app, TrainOptions& o) {
  app.add_option("--metrics", o.metrics, "file for one line of JSON a step");
  app.add_option("--summary", o.summary, "file for the result as JSON");
  app.add_option("--checkpoint", o.checkpoint, "where to save the training: each rank writes FILE.rankN");
  add(app, "--checkpoint-every", o.checkpoint_every, "steps between checkpoints; 0: one at the end");
  app.add_option("--resume", o.resume, "go on from a checkpoint");
  app.add_flag("--quiet", o.quiet, "no progress");
}

void check_real(double value, double low, double high, const char* flag) {
  TW_CHECK(std::isfinite(value) && value >= low && value <= high, UsageError, flag, " is ", value, "; it must be from ",
           low, " to ", high);
}

// Names that cannot be are refused before anything is read or connected.
void check_names(const TrainOptions& o) {
  canonical_model(o.model);
  parse_device(o.device);
  find_schedule(o.schedule);
  find_algorithm(o.algorithm);
  const CompressorTable compressors(o.codec, o.codec_for);
}

void check(const TrainOptions& o) {
  check_real(o.learning_rate, 0, 1e6, "--lr");
  check_real(o.momentum, 0, 1, "--momentum");
  check_real(o.weight_decay, 0, 1e6, "--weight-decay");
  check_real(o.deadline_seconds, 0.001, 1e6, "--deadline");
  if (o.epochs) check_real(*o.epochs, 1e-9, 1e9, "--epochs");
  TW_CHECK(o.bucket_bytes != 0, UsageError, "--bucket-bytes is 0; 4M is a usual choice");
  TW_CHECK(!o.ranks || (*o.ranks >= 1 && *o.ranks <= 4096), UsageError, "--ranks is ", *o.ranks,
           "; it must be from 1 to 4096");
  TW_CHECK(!o.rank || o.ranks, UsageError, "--rank ", *o.rank, " needs --ranks");
  TW_CHECK(!o.rank || *o.rank < *o.ranks, UsageError, "--rank is ", *o.rank, "; with --ranks ", *o.ranks,
           " it must be below that");
  TW_CHECK(o.checkpoint_every == 0 || !o.checkpoint.empty(), UsageError, "--checkpoint-every needs --checkpoint FILE");
  check_names(o);
}

}  // namespace

CommunicatorOptions TrainOptions::communicator_options(const Exec& exec) const {
  CommunicatorOptions result;
  result.codec = codec;
  result.codec_for = codec_for;
  result.algorithm = algorithm;
  result.seed = seed;
  result.checksum = checksum;
  result.deadline_seconds = deadline_seconds;
  result.exec = exec;
  result.exec.workers = threads;
  return result;
}

std::uint64_t TrainOptions::total_steps(std::uint64_t samples, std::uint32_t rank_count) const {
  if (steps) return *steps;
  const double a_step = static_cast<double>(batch * accumulate * rank_count);
  return static_cast<std::uint64_t>(std::ceil(epochs.value_or(1.0) * static_cast<double>(samples) / a_step));
}

ParsedOptions parse_options(const std::vector<std::string>& words) {
  ParsedOptions parsed;
  CLI::App app("Trains a model on all ranks with compressed gradients.", "tightwire-train");
  app.set_version_flag("--version", std::string("tightwire-train ") + version() + " with " + compute_library());
  declare_work(app, parsed.options);
  declare_exchange(app, parsed.options);
  declare_files(app, parsed.options);
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));  // CLI11 takes the words last first
  } catch (const CLI::CallForHelp&) {
    parsed.text = app.help();
    return parsed;
  } catch (const CLI::CallForVersion& version) {
    parsed.text = std::string(version.what()) + "\n";
    return parsed;
  } catch (const CLI::ParseError& error) {
    TW_FAIL(UsageError, error.what(), "; tightwire-train --help lists the flags");
  }
  check(parsed.options);
  return parsed;
}

}  // namespace tw::trainer
