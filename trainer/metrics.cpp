// The only source of the trainer that includes nlohmann/json.
#include "trainer/metrics.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "kernels/base/check.hpp"
#include "kernels/cuda/device.hpp"
#include "tools/context.hpp"
#include "trainer/model.hpp"

namespace tw::trainer {
namespace {

using Json = nlohmann::ordered_json;

void add_times(Json& json, const StepTimes& times) {
  json["compute_seconds"] = times.compute;
  json["encode_seconds"] = times.encode;
  json["exposed_comm_seconds"] = times.exposed_comm;
  json["decode_seconds"] = times.decode;
}

Json codec_rules(const TrainOptions& options) {
  Json rules = Json::array();
  for (const auto& [pattern, spec] : options.codec_for) rules.push_back({{"pattern", pattern}, {"codec", spec}});
  return rules;
}

// What was asked for, so that a summary can be read without its command.
void add_settings(Json& json, const TrainOptions& options) {
  json["model"] = canonical_model(options.model);
  json["dataset"] = options.dataset;
  json["exchange"] = options.exchange ? "on" : "off";
  json["codec"] = options.codec;
  if (!options.codec_for.empty()) json["codec_for"] = codec_rules(options);
  json["algorithm"] = options.algorithm;
  json["checksum"] = options.checksum ? "crc32c" : "none";
  json["bucket_bytes"] = options.bucket_bytes;
  json["batch"] = options.batch;
  json["accumulate"] = options.accumulate;
  json["schedule"] = options.schedule;
  json["learning_rate"] = options.learning_rate;
  json["momentum"] = options.momentum;
  json["weight_decay"] = options.weight_decay;
  json["seed"] = options.seed;
}

Json context_of(const Summary& summary, const TrainOptions& options) {
  RunConditions conditions;
  conditions.threads = options.threads;
  conditions.ranks = summary.ranks;
  conditions.link = options.lab.empty() ? summary.transport : options.lab;
  Json context = run_context(conditions);
  context["libraries"]["compute"] = compute_library();
  if (summary.device != "cpu") context["cuda"] = cuda::summary();
  return context;
}

}  // namespace

StepTimes step_times(double seconds, const Stats& before, const Stats& after) {
  StepTimes times;
  times.total = seconds;
  times.encode = after.waited_encode_seconds - before.waited_encode_seconds;
  times.exposed_comm = after.waited_comm_seconds - before.waited_comm_seconds;
  times.decode = after.waited_decode_seconds - before.waited_decode_seconds;
  times.compute = seconds - times.encode - times.exposed_comm - times.decode;
  times.sent_bytes = after.sent_bytes - before.sent_bytes;
  return times;
}

std::uint64_t StepStatistics::warmup_steps() const { return std::min<std::uint64_t>(5, steps_.size() / 3); }

std::span<const StepTimes> StepStatistics::measured() const { return std::span(steps_).subspan(warmup_steps()); }

double StepStatistics::median_seconds() const {
  std::vector<double> seconds;
  for (const StepTimes& times : measured()) seconds.push_back(times.total);
  if (seconds.empty()) return 0;
  std::sort(seconds.begin(), seconds.end());
  return (seconds[(seconds.size() - 1) / 2] + seconds[seconds.size() / 2]) / 2;
}

StepTimes StepStatistics::mean() const {
  StepTimes sum;
  for (const StepTimes& times : measured()) {
    sum.total += times.total;
    sum.compute += times.compute;
    sum.encode += times.encode;
    sum.exposed_comm += times.exposed_comm;
    sum.decode += times.decode;
    sum.sent_bytes += times.sent_bytes;
  }
  const std::uint64_t count = std::max<std::uint64_t>(1, measured().size());
  for (double* part : {&sum.total, &sum.compute, &sum.encode, &sum.exposed_comm, &sum.decode})
    *part /= static_cast<double>(count);
  sum.sent_bytes /= count;
  return sum;
}

MetricsFile::MetricsFile(const std::string& path) : path_(path) {
  if (path.empty()) return;
  file_.open(path, std::ios::trunc);
  TW_CHECK(file_.is_open(), SystemError, "cannot write the metrics to ", path, ": ", std::strerror(errno));
}

void MetricsFile::line(const std::string& text) {
  file_ << text << std::endl;
  TW_CHECK(file_.good(), SystemError, "cannot write the metrics to ", path_, ": ", std::strerror(errno));
}

void MetricsFile::step(const StepReport& report) {
  if (path_.empty()) return;
  Json json{{"event", "step"},
            {"step", report.step},
            {"epoch", report.epoch},
            {"loss", report.loss},
            {"learning_rate", report.learning_rate},
            {"step_seconds", report.times.total}};
  add_times(json, report.times);
  json["wire_bytes"] = report.times.sent_bytes;
  json["committed"] = report.outcome.committed;
  if (!report.outcome.committed) json["reason"] = report.outcome.reason;
  line(json.dump());
}

void MetricsFile::validation(std::uint64_t step, const Evaluation& evaluation) {
  if (path_.empty()) return;
  line(Json{{"event", "validation"},
            {"step", step},
            {"test_accuracy", evaluation.accuracy()},
            {"test_loss", evaluation.mean_loss()}}
           .dump());
}

std::string summary_json(const Summary& summary, const TrainOptions& options) {
  Json json{{"schema_version", kSchemaVersion}, {"kind", "train"}, {"ranks", summary.ranks}, {"steps", summary.steps}};
  if (summary.first_step != 0) json["first_step"] = summary.first_step;
  json["transport"] = summary.transport;
  json["device"] = summary.device;
  add_settings(json, options);
  json["step_seconds_median"] = summary.step_seconds_median;
  json["step_seconds_mean"] = summary.mean.total;
  add_times(json, summary.mean);
  json["wire_bytes_per_step"] = summary.wire_bytes_per_step;
  json["dense_bytes_per_step"] = summary.dense_bytes_per_step;
  json["warmup_steps"] = summary.warmup_steps;
  json["skipped_steps"] = summary.skipped_steps;
  json["absent_gradients"] = summary.absent_gradients;
  json["buckets"] = summary.buckets;
  json["overlapped_buckets"] = summary.overlapped_buckets;
  json["state_bytes"] = summary.state_bytes;
  json["parameters"] = summary.parameters;
  json["test_accuracy"] = summary.test_accuracy;
  json["test_loss"] = summary.test_loss;
  json["final_loss"] = summary.final_loss ? Json(*summary.final_loss) : Json();
  json["parameters_hash"] = summary.parameters_hash;
  json["context"] = context_of(summary, options);
  return json.dump(2) + "\n";
}

}  // namespace tw::trainer
