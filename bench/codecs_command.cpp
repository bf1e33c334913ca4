// `tightwire bench codecs`: options, the table, the JSON rows.
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "bench/codecs.hpp"
#include "bench/codecs_device.hpp"
#include "bench/commands.hpp"
#include "bench/device_json.hpp"
#include "bench/table.hpp"
#include "compress/compressor.hpp"
#include "kernels/base/check.hpp"
#include "tools/context.hpp"
#include "tools/device.hpp"
#include "tools/files.hpp"

namespace tw {
namespace {

template <std::size_t size>
std::size_t index_in(const std::string_view (&names)[size], std::string_view option, const std::string& value) {
  std::string known;
  for (std::size_t i = 0; i < size; ++i) {
    if (names[i] == value) return i;
    known.append(known.empty() ? "" : ", ").append(names[i]);
  }
  TW_FAIL(UsageError, option, " '", value, "'; known: ", known);
}

std::string_view name_of(CodecData data) { return kCodecDataNames[static_cast<std::size_t>(data)]; }

// Rates of rows that nobody timed are NaN, which JSON writes as null.
nlohmann::ordered_json row_json(const CodecRow& row) {
  nlohmann::ordered_json json{{"codec", row.codec},
                              {"data", name_of(row.data)},
                              {"count", row.count},
                              {"threads", row.threads},
                              {"timed", row.timed},
                              {"bits_per_element", row.bits_per_element},
                              {"vnmse", row.vnmse},
                              {"encode_gbps", row.encode.gbps},
                              {"encode_ef_gbps", nullptr},
                              {"decode_gbps", row.decode.gbps},
                              {"memcpy_gbps", row.memcpy_gbps},
                              {"encode_floor_share", row.encode.floor_share},
                              {"encode_ef_floor_share", nullptr},
                              {"decode_floor_share", row.decode.floor_share},
                              {"read_gbps", row.read_gbps},
                              {"write_gbps", row.write_gbps}};
  if (row.encode_ef) {
    json["encode_ef_gbps"] = row.encode_ef->gbps;
    json["encode_ef_floor_share"] = row.encode_ef->floor_share;
  }
  return json;
}

std::string percent(double share) { return fixed(100 * share, 0) + "%"; }

// Throughput, as a multiple of memcpy's, as a share of the floor.
void add_rate(std::vector<std::string>& cells, const std::optional<CodecRate>& rate, double memcpy_gbps) {
  if (!rate || std::isnan(rate->gbps)) return void(cells.insert(cells.end(), {"-", "-", "-"}));
  cells.insert(cells.end(), {fixed(rate->gbps, 2), fixed(rate->gbps / memcpy_gbps, 2), percent(rate->floor_share)});
}

std::vector<std::string> cells_of(const CodecRow& row) {
  char vnmse[32];
  std::snprintf(vnmse, sizeof vnmse, "%.3g", row.vnmse);
  std::vector<std::string> cells{row.codec, std::string(name_of(row.data)), fixed(row.bits_per_element, 3), vnmse};
  add_rate(cells, row.encode, row.memcpy_gbps);
  add_rate(cells, row.encode_ef, row.memcpy_gbps);
  add_rate(cells, row.decode, row.memcpy_gbps);
  cells.push_back(row.timed ? fixed(row.memcpy_gbps, 2) : "-");
  return cells;
}

class CodecsCommand final : public Command {
 public:
  void declare(Options& options) override {
    options.texts("--codec", codecs_, "spec of the codec, or several (see tightwire info)");
    options.texts("--data", data_,
                  "gaussian | laplace | sparse (99.9 % zeros) | ties (16 distinct values), or several");
    options.integer("--count", count_, {1, std::uint64_t{1} << 32}, "elements of the tensor, f32");
    options.integer("--threads", threads_, {1, 1024}, "threads; each codes its own run of the tensor");
    options.integer("--rounds", rounds_, {1, 1 << 20}, "measured repetitions, of which the medians are shown");
    options.text("--device", device_, "cpu, cuda, or cuda:N for another GPU than the first");
    options.text("--backend", backend_, "simd | reference: how the CPU does it");
    options.text("--json", json_, "write the rows to this file ('-': standard output, instead of the table)");
  }

  int run() override {
    const std::vector<CodecCase> cases = checked_cases();
    std::vector<CodecRow> rows;
    if (const DeviceChoice device = parse_device(device_); device.backend == Backend::cuda) {
      TW_CHECK(threads_ == 1, UsageError, "--threads ", threads_, " with --device ", device_,
               ": threads are the CPU's; leave them out");
      DeviceCodecBench bench(count_, device.number.value_or(0));
      facts_ = bench.facts();
      for (const CodecCase& one : cases) rows.push_back(bench.measure(one));
    } else {
      CodecBench bench(count_, static_cast<std::uint32_t>(threads_));
      for (const CodecCase& one : cases) rows.push_back(bench.measure(one));
    }
    if (json_ != "-") print(rows);
    if (!json_.empty()) write_json(json_, to_json(rows));
    return kExitOk;
  }

 private:
  std::vector<CodecCase> checked_cases() const {
    static constexpr std::string_view kBackends[] = {"reference", "simd"};
    const auto backend = static_cast<Backend>(index_in(kBackends, "--backend", backend_));
    std::vector<CodecCase> cases;
    for (const std::string& data : data_)
      for (const std::string& codec : codecs_) {
        Compressor{codec};  // before anything is measured
        cases.push_back({codec, static_cast<CodecData>(index_in(kCodecDataNames, "--data", data)), backend, rounds_});
      }
    return cases;
  }

  std::string place() const {
    if (facts_) return described(*facts_) + ", cold cache";
    return std::to_string(threads_) + (threads_ == 1 ? " thread, " : " threads, ") + backend_;
  }
  void print(const std::vector<CodecRow>& rows) const {
    std::cout << count_ << " f32, " << place();
    if (!rows.front().timed)
      std::cout << ": no GPU, so nothing is timed\n\n";
    else
      std::cout
          << "; GB/s = 1e9 uncompressed bytes a second, x = multiples of memcpy's copied bytes, floor = share of\n"
          << "the time that the op's reads and writes need at the memory's bandwidth (read "
          << fixed(rows.front().read_gbps, 1) << ", write " << fixed(rows.front().write_gbps, 1)
          << " GB/s;\nabove 100% where they overlap)\n\n";
    TextTable table({"codec", "data", "bits", "vnmse", "encode", "x", "floor", "encode+ef", "x", "floor", "decode+add",
                     "x", "floor", "memcpy"});
    for (const CodecRow& row : rows) table.add(cells_of(row));
    std::cout << table.aligned();
  }
  nlohmann::ordered_json to_json(const std::vector<CodecRow>& rows) const {
    RunConditions conditions;
    conditions.threads = threads_;
    nlohmann::ordered_json json{
        {"kind", "bench codecs"}, {"schema_version", kSchemaVersion}, {"context", run_context(conditions)}};
    json["backend"] = facts_ ? "cuda" : backend_;
    if (facts_) json["device"] = device_json(*facts_);
    json["units"] = {{"gbps", "1e9 uncompressed bytes a second; memcpy: copied bytes"}};
    for (const CodecRow& row : rows) json["results"].push_back(row_json(row));
    return json;
  }

  std::vector<std::string> codecs_{"int8", "bf16", "onebit", "topk:ratio=0.01"};
  std::vector<std::string> data_{"gaussian"};
  std::uint64_t count_ = std::uint64_t{64} << 20, threads_ = 1, rounds_ = 7;
  std::string device_ = "cpu", backend_ = "simd", json_;
  std::optional<cuda::DeviceFacts> facts_;
};

}  // namespace

std::unique_ptr<Command> make_bench_codecs_command() { return std::make_unique<CodecsCommand>(); }

}  // namespace tw
