// `tightwire info`: what this build can do.
#include <iostream>
#include <nlohmann/json.hpp>

#include "bench/commands.hpp"
#include "bench/table.hpp"
#include "collectives/algorithm.hpp"
#include "collectives/transports/nccl/nccl.hpp"
#include "collectives/transports/table.hpp"
#include "collectives/transports/ucx/ucx.hpp"
#include "compress/compressor.hpp"
#include "compress/registry.hpp"
#include "compress/state.hpp"
#include "kernels/base/target.hpp"
#include "kernels/cuda/device.hpp"
#include "tools/build.hpp"
#include "tools/context.hpp"

namespace tw {
namespace {

/// The tensor that sizes are stated for.
const Param kReference{"reference", 0, 1024, 1024, DType::f32};
constexpr std::uint32_t kReferenceRanks = 4;

nlohmann::ordered_json parameters_json(const std::vector<ParamDescription>& rows) {
  auto parameters = nlohmann::ordered_json::array();
  for (const ParamDescription& row : rows)
    parameters.push_back({{"key", row.key}, {"range", row.range}, {"default", row.default_value}, {"help", row.help}});
  return parameters;
}

std::vector<std::string> names_of(const CodecTraits& traits) {
  std::vector<std::string> names;
  const std::pair<bool, const char*> flags[] = {
      {traits.lossless, "lossless"}, {traits.unbiased, "unbiased"},       {traits.contractive, "contractive"},
      {traits.linear, "linear"},     {traits.homomorphic, "homomorphic"}, {traits.fixed_size, "fixed_size"},
      {traits.sparse, "sparse"}};
  for (const auto& [set, name] : flags)
    if (set) names.emplace_back(name);
  return names;
}

nlohmann::ordered_json codec_json(const CodecRow& row) {
  const Compressor compressor(row.name);
  const CodecTraits traits = compressor.codec().traits(kReference);
  const auto bytes = compressor.codec().max_bytes({&kReference, 0, kReference.count()});
  return {{"name", row.name},
          {"id", compressor.codec().id()},
          {"summary", row.summary},
          {"default_spec", compressor.canonical_spec()},
          {"parameters", parameters_json(row.describe())},
          {"traits", names_of(traits)},
          {"granule", traits.granule},
          {"bits_per_element", 8.0 * static_cast<double>(bytes) / static_cast<double>(kReference.count())},
          {"fused_feedback", compressor.codec().fused_feedback() != nullptr}};
}

/// Bytes a memory holds for each element of a parameter, both hops, both buffers.
double memory_bytes_per_element(const MemoryRow& row) {
  const auto memory = row.make(parse_spec(row.name).front());
  State state;
  memory->declare_slots(state, kReference, Hop::worker, 0, kReference.count());
  memory->declare_slots(state, kReference, Hop::owner, 0, kReference.count() / kReferenceRanks);
  return static_cast<double>(state.bytes()) / static_cast<double>(kReference.count());
}

nlohmann::ordered_json memory_json(const MemoryRow& row) {
  return {{"name", row.name},
          {"summary", row.summary},
          {"parameters", parameters_json(row.describe())},
          {"bytes_per_element", memory_bytes_per_element(row)},
          {"needs_contraction", row.make(parse_spec(row.name).front())->needs_contraction()}};
}

nlohmann::ordered_json info_json() {
  nlohmann::ordered_json info;
  info["kind"] = "info";
  info["schema_version"] = kSchemaVersion;
  info["context"] = run_context({});
  info["simd_targets"] = simd_targets();
  info["ucx"] = ucx_summary();
  info["nccl"] = nccl_summary();
  info["cuda"] = cuda::summary();
  for (const TransportRow& row : transport_table())
    info["transports"].push_back({{"name", row.name},
                                  {"summary", row.summary},
                                  {"unavailable", row.unavailable()},
                                  {"device_memory", row.device_memory()}});
  for (const Algorithm* algorithm : algorithm_table())
    info["algorithms"].push_back({{"name", algorithm->name()}, {"summary", algorithm->summary()}});
  for (const CodecRow& row : codec_table()) info["codecs"].push_back(codec_json(row));
  for (const MemoryRow& row : memory_table()) info["memories"].push_back(memory_json(row));
  return info;
}

std::string joined(const nlohmann::ordered_json& words) {
  std::string text;
  for (const auto& word : words) text.append(text.empty() ? "" : " ").append(word.get<std::string>());
  return text;
}

void print_parameters(const nlohmann::ordered_json& rows) {
  TextTable table({"of", "key", "values", "default", "meaning"});
  for (const auto& row : rows)
    for (const auto& parameter : row["parameters"])
      table.add({row["name"], parameter["key"], parameter["range"], parameter["default"], parameter["help"]});
  if (!table.rows().empty()) std::cout << '\n' << table.aligned("  ");
}

void print_text(const nlohmann::ordered_json& info) {
  const auto& context = info["context"];
  std::cout << "tightwire " << build().version << " (" << build().revision << "), "
            << context["build"].get<std::string>() << ", " << build().compiler << '\n'
            << context["cpu"].get<std::string>() << ", " << context["cores"] << " cores; SIMD "
            << context["simd"].get<std::string>() << " of " << joined(info["simd_targets"]) << '\n'
            << info["cuda"].get<std::string>() << "\n\ntransports\n";
  TextTable transports({"name", "what it does", "memory of a device", ""});
  for (const auto& row : info["transports"]) {
    const std::string missing = row["unavailable"];
    transports.add({row["name"], row["summary"], row["device_memory"], missing.empty() ? "" : "not here: " + missing});
  }
  std::cout << transports.aligned("  ") << "  " << info["ucx"].get<std::string>() << "\n  "
            << info["nccl"].get<std::string>() << "\n\nalgorithms\n";
  TextTable algorithms({"name", "what it does"});
  for (const auto& row : info["algorithms"]) algorithms.add({row["name"], row["summary"]});
  std::cout << algorithms.aligned("  ")
            << "\ncodecs (bits an element, with default parameters, of a 1024 x 1024 tensor)\n";
  TextTable codecs({"name", "bits", "traits", "what it does"});
  for (const auto& row : info["codecs"])
    codecs.add({row["name"], fixed(row["bits_per_element"], 3), joined(row["traits"]), row["summary"]});
  std::cout << codecs.aligned("  ");
  print_parameters(info["codecs"]);
  std::cout << "\nmemories (bytes an element, both hops of " << kReferenceRanks << " ranks, both buffers)\n";
  TextTable memories({"name", "bytes", "what it does"});
  for (const auto& row : info["memories"])
    memories.add({row["name"], fixed(row["bytes_per_element"], 1), row["summary"]});
  std::cout << memories.aligned("  ");
  print_parameters(info["memories"]);
}

class InfoCommand final : public Command {
 public:
  void declare(Options& options) override { options.flag("--json", json_, "print JSON"); }
  int run() override {
    const auto info = info_json();
    if (json_)
      std::cout << info.dump(2) << '\n';
    else
      print_text(info);
    return kExitOk;
  }

 private:
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_info_command() { return std::make_unique<InfoCommand>(); }

}  // namespace tw
