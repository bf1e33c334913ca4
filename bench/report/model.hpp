// What `tightwire report` reads: results of the tools as they wrote them, checked and brought into one shape.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace tw::report {

/// The part of a context that a report shows.
struct Conditions {
  std::string date, revision, cpu, compiler, link, burst;
  std::vector<std::string> libraries;  ///< "glibc 2.36"
  std::uint64_t cores = 0, threads = 1, ranks = 1;
  /// Bytes a second that `link` names ("1gbit"); nothing for links without a stated rate.
  std::optional<double> link_rate() const;
  std::string link_text() const;  ///< "1gbit (burst 128kb)"
};

/// One training run: `tightwire-train --summary`.
struct Training {
  Conditions conditions;
  std::string codec, algorithm, transport, model, dataset;
  bool exchange = true;
  std::uint64_t steps = 0, skipped = 0;
  double median = 0, mean = 0;                           ///< seconds a step
  double compute = 0, encode = 0, comm = 0, decode = 0;  ///< means; they add up to `mean`
  double wire_bytes = 0, dense_bytes = 0;                ///< a step
  double accuracy = 0;                                   ///< 0 to 1
  std::optional<double> loss;
  std::string hash;

  bool dense() const { return exchange && codec == "identity"; }
  /// "no exchange", "identity (dense)", or the codec.
  std::string label() const;
};

/// Training runs that may be compared: same link, ranks, model, data and number of steps.
struct TrainingGroup {
  std::vector<Training> runs;  ///< dense first, then as given, the one without exchange last
  const Training* dense() const;
  const Training* bf16() const;
  const Training* alone() const;  ///< the exchange switched off
};

/// One row of `bench all_reduce`.
struct Reduction {
  std::string codec, algorithm, transport;
  double bytes = 0, time_us = 0, algbw = 0, busbw = 0, wire_bytes = 0, wire_bw = 0, ratio = 0, error = 0;
  std::optional<double> wrong;
};
struct ReductionSet {
  Conditions conditions;
  std::vector<Reduction> rows;
};

/// One row of `bench codecs`; GB = 1e9 uncompressed bytes. What a file lacks is empty.
struct CodecSpeed {
  std::string codec, data;
  std::optional<double> bits, vnmse, encode, encode_ef, decode, memcpy;
};
struct CodecSet {
  Conditions conditions;
  std::vector<CodecSpeed> rows;
};

struct Results {
  std::vector<TrainingGroup> trainings;
  std::vector<ReductionSet> reductions;
  std::vector<CodecSet> codecs;
};

/// Reads files of the tools, in any mixture, reports written as JSON among them. Unknown fields are ignored. Throws
/// UsageError that names the file and what is wrong with it: no JSON, not ours, a newer schema, a missing field.
Results read_results(const std::vector<std::string>& paths);
/// The contents of the files, those of reports taken out of them.
nlohmann::ordered_json read_inputs(const std::vector<std::string>& paths);

}  // namespace tw::report
