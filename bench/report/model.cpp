#include "bench/report/model.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <tuple>

#include "kernels/base/check.hpp"
#include "tools/context.hpp"
#include "tools/files.hpp"

namespace tw::report {
namespace {

using Json = nlohmann::ordered_json;

/// A JSON object of a file, whose errors name both.
class Fields {
 public:
  Fields(const Json& json, const std::string& file) : json_(json), file_(file) {}

  template <class Value>
  Value get(const char* key) const {
    TW_CHECK(json_.contains(key), UsageError, "'", file_, "': '", key, "' is missing");
    return convert<Value>(key);
  }
  template <class Value>
  Value get(const char* key, Value otherwise) const {
    return json_.contains(key) && !json_[key].is_null() ? convert<Value>(key) : otherwise;
  }
  std::optional<double> number(const char* key) const {
    if (!json_.contains(key) || json_[key].is_null()) return std::nullopt;
    return convert<double>(key);
  }
  /// The rows of `results`.
  std::vector<Fields> rows() const {
    TW_CHECK(json_.contains("results") && json_["results"].is_array(), UsageError, "'", file_,
             "': 'results' is missing or no list");
    std::vector<Fields> rows;
    for (const Json& row : json_["results"]) rows.emplace_back(row, file_);
    return rows;
  }
  Fields object(const char* key) const {
    static const Json empty = Json::object();
    return {json_.contains(key) && json_[key].is_object() ? json_[key] : empty, file_};
  }
  const Json& json() const { return json_; }
  const std::string& name() const { return file_; }

 private:
  template <class Value>
  Value convert(const char* key) const {
    try {
      return json_[key].get<Value>();
    } catch (const Json::exception&) {
      TW_FAIL(UsageError, "'", file_, "': '", key, "' is ", json_[key].dump(), ", which is of the wrong type");
    }
  }
  const Json& json_;
  const std::string& file_;
};

Conditions read_conditions(const Fields& file) {
  const Fields context = file.object("context");
  Conditions conditions;
  for (auto [key, value] : {std::pair{"date", &conditions.date},
                            {"revision", &conditions.revision},
                            {"cpu", &conditions.cpu},
                            {"compiler", &conditions.compiler},
                            {"burst", &conditions.burst}})
    *value = context.get<std::string>(key, "");
  conditions.link = context.get<std::string>("link", "local");
  conditions.cores = context.get<std::uint64_t>("cores", 0);
  conditions.threads = context.get<std::uint64_t>("threads", 1);
  conditions.ranks = context.get<std::uint64_t>("ranks", 1);
  for (const auto& [name, version] : context.object("libraries").json().items())
    if (version.is_string()) conditions.libraries.push_back(name + " " + version.get<std::string>());
  return conditions;
}

Training read_training(const Fields& file) {
  Training run;
  run.conditions = read_conditions(file);
  run.conditions.ranks = file.get<std::uint64_t>("ranks", run.conditions.ranks);
  run.codec = file.get<std::string>("codec");
  run.exchange = file.get<std::string>("exchange", "on") == "on";
  run.algorithm = file.get<std::string>("algorithm", "");
  run.transport = file.get<std::string>("transport", "");
  run.model = file.get<std::string>("model", "");
  run.dataset = file.get<std::string>("dataset", "");
  run.steps = file.get<std::uint64_t>("steps", 0);
  run.skipped = file.get<std::uint64_t>("skipped_steps", 0);
  run.median = file.get<double>("step_seconds_median");
  run.mean = file.get<double>("step_seconds_mean");
  run.compute = file.get<double>("compute_seconds");
  run.encode = file.get<double>("encode_seconds");
  run.comm = file.get<double>("exposed_comm_seconds");
  run.decode = file.get<double>("decode_seconds");
  run.wire_bytes = file.get<double>("wire_bytes_per_step");
  run.dense_bytes = file.get<double>("dense_bytes_per_step");
  run.accuracy = file.get<double>("test_accuracy");
  run.loss = file.number("final_loss");
  run.hash = file.get<std::string>("parameters_hash", "");
  return run;
}

ReductionSet read_reductions(const Fields& file) {
  ReductionSet set{read_conditions(file), {}};
  for (const Fields& row : file.rows())
    set.rows.push_back({row.get<std::string>("codec"), row.get<std::string>("algorithm"),
                        row.get<std::string>("transport"), row.get<double>("bytes"), row.get<double>("time_us"),
                        row.get<double>("algbw_gbps"), row.get<double>("busbw_gbps"), row.get<double>("wire_bytes"),
                        row.get<double>("wire_bw_gbps"), row.get<double>("ratio"), row.get<double>("relative_error"),
                        row.number("wrong")});
  for (const Reduction& row : set.rows)
    TW_CHECK(row.bytes >= 1, UsageError, "'", file.name(), "': 'bytes' is ", row.bytes, "; sizes are 1 and more");
  return set;
}

CodecSet read_codecs(const Fields& file) {
  CodecSet set{read_conditions(file), {}};
  for (const Fields& row : file.rows())
    set.rows.push_back({row.get<std::string>("codec"), row.get<std::string>("data", ""), row.number("bits_per_element"),
                        row.number("vnmse"), row.number("encode_gbps"), row.number("encode_ef_gbps"),
                        row.number("decode_gbps"), row.number("memcpy_gbps")});
  return set;
}

bool comparable(const Training& a, const Training& b) {
  const auto key = [](const Training& run) {
    return std::tuple(run.conditions.link, run.conditions.ranks, run.model, run.dataset, run.steps);
  };
  return key(a) == key(b);
}

void add_training(std::vector<TrainingGroup>& groups, Training run) {
  const auto group = std::find_if(groups.begin(), groups.end(),
                                  [&](const TrainingGroup& one) { return comparable(one.runs.front(), run); });
  if (group == groups.end())
    groups.push_back({{std::move(run)}});
  else
    group->runs.push_back(std::move(run));
}

template <class Predicate>
const Training* find_run(const TrainingGroup& group, Predicate predicate) {
  const auto run = std::find_if(group.runs.begin(), group.runs.end(), predicate);
  return run == group.runs.end() ? nullptr : &*run;
}

/// Joins what was measured under the same conditions, on whatever day, into one set.
template <class Set>
void add_rows(std::vector<Set>& sets, Set more) {
  const auto key = [](const Conditions& c) { return std::tuple(c.link, c.burst, c.cpu, c.cores, c.threads, c.ranks); };
  const auto same = [&](const Set& one) { return key(one.conditions) == key(more.conditions); };
  const auto set = std::find_if(sets.begin(), sets.end(), same);
  if (set == sets.end())
    sets.push_back(std::move(more));
  else
    set->rows.insert(set->rows.end(), more.rows.begin(), more.rows.end());
}

void check_schema(const Json& json, const std::string& file) {
  TW_CHECK(json.is_object() && json.contains("kind") && json["kind"].is_string() && json.contains("schema_version") &&
               json["schema_version"].is_number_integer(),
           UsageError, "'", file, "' is not a result of tightwire: it has no 'kind' and 'schema_version'");
  const auto version = json["schema_version"].get<std::int64_t>();
  TW_CHECK(version >= 1 && version <= kSchemaVersion, UsageError, "'", file, "' has schema_version ", version,
           "; this tightwire reads 1 to ", kSchemaVersion);
}

void add_file(Results& results, const Json& json, const std::string& path) {
  const Fields file(json, path);
  const auto kind = file.get<std::string>("kind");
  if (kind == "train")
    add_training(results.trainings, read_training(file));
  else if (kind == "bench all_reduce")
    add_rows(results.reductions, read_reductions(file));
  else if (kind == "bench codecs")
    add_rows(results.codecs, read_codecs(file));
  else
    TW_FAIL(UsageError, "'", path, "' is of kind '", kind,
            "'; a report is made of: train, bench all_reduce, bench codecs, report");
}

}  // namespace

std::optional<double> Conditions::link_rate() const {
  double value = 0;
  const auto [end, error] = std::from_chars(link.data(), link.data() + link.size(), value);
  const std::string_view unit(end, static_cast<std::size_t>(link.data() + link.size() - end));
  if (error != std::errc() || value <= 0) return std::nullopt;
  for (const auto& [name, bits] : {std::pair{"gbit", 1e9}, {"mbit", 1e6}, {"kbit", 1e3}})
    if (unit.starts_with(name)) return value * bits / 8;
  return std::nullopt;
}

std::string Conditions::link_text() const { return burst.empty() ? link : link + " (burst " + burst + ")"; }

std::string Training::label() const {
  if (!exchange) return "no exchange";
  return dense() ? "identity (dense)" : codec;
}

const Training* TrainingGroup::dense() const {
  return find_run(*this, [](const Training& run) { return run.dense(); });
}
const Training* TrainingGroup::bf16() const {
  return find_run(*this, [](const Training& run) { return run.exchange && run.codec == "bf16"; });
}
const Training* TrainingGroup::alone() const {
  return find_run(*this, [](const Training& run) { return !run.exchange; });
}

Json read_inputs(const std::vector<std::string>& paths) {
  Json inputs = Json::array();
  for (const std::string& path : paths) {
    const Json json = read_json(path);
    check_schema(json, path);
    if (json["kind"] != "report") {
      inputs.push_back(json);
      continue;
    }
    TW_CHECK(json.contains("inputs") && json["inputs"].is_array(), UsageError, "'", path, "': 'inputs' is missing");
    for (const Json& input : json["inputs"]) {
      check_schema(input, path);
      inputs.push_back(input);
    }
  }
  return inputs;
}

Results read_results(const std::vector<std::string>& paths) {
  Results results;
  for (const std::string& path : paths)
    for (const Json& json : read_inputs({path})) add_file(results, json, path);
  for (TrainingGroup& group : results.trainings)
    std::stable_sort(group.runs.begin(), group.runs.end(), [](const Training& a, const Training& b) {
      const auto order = [](const Training& run) { return run.dense() ? 0 : run.exchange ? 1 : 2; };
      return order(a) < order(b);
    });
  return results;
}

}  // namespace tw::report
