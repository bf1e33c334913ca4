// The flags of tightwire-train, and what follows from them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tightwire/communicator.hpp>

namespace tw::trainer {

/// One field a flag, with its default.
struct TrainOptions {
  std::string model = "mlp";
  std::string dataset = "fashion-mnist";
  std::string data_dir;

  std::string codec = "identity";
  std::vector<std::pair<std::string, std::string>> codec_for;
  std::string algorithm = "two_shot";
  std::string transport = "auto";
  std::string interface;
  bool exchange = true;
  bool checksum = true;
  double deadline_seconds = 30;
  std::uint64_t bucket_bytes = 4u << 20;

  std::optional<std::uint32_t> ranks, rank;
  std::string device = "cpu";
  std::string lab;  ///< rate of the lab that the ranks run in; empty: none

  std::uint64_t batch = 64;  ///< samples of one rank's backward pass
  std::uint64_t accumulate = 1;
  std::optional<std::uint64_t> steps;
  std::optional<double> epochs;
  std::uint64_t stop_after = 0;  ///< end early after this step; 0: no
  std::string schedule = "constant";
  double learning_rate = 0.05;
  double momentum = 0.9;
  double weight_decay = 0;
  std::uint64_t seed = 0;
  std::uint32_t threads = 1;
  std::uint64_t hash_every = 50;

  std::string metrics, summary;
  std::string checkpoint, resume;
  std::uint64_t checkpoint_every = 0;  ///< steps; 0: at the end only
  bool quiet = false;

  /// For gradients that lie where `exec` works.
  CommunicatorOptions communicator_options(const Exec& exec) const;
  /// Steps in all, for a training set of `samples`.
  std::uint64_t total_steps(std::uint64_t samples, std::uint32_t rank_count) const;
};

/// What the words of a command line ask for: a run, or a text to print (--help, --version).
struct ParsedOptions {
  TrainOptions options;
  std::optional<std::string> text;
};

/// `words` without the program's name. Throws UsageError for what cannot be: unknown flags and names, values out of
/// range, flags that exclude each other.
ParsedOptions parse_options(const std::vector<std::string>& words);

}  // namespace tw::trainer
