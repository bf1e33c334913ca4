// `tightwire bench all_reduce`: options, the sweep over codecs and sizes, and where its ranks come from.
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "bench/all_reduce_output.hpp"
#include "bench/commands.hpp"
#include "bench/device_clock.hpp"
#include "bench/device_json.hpp"
#include "bench/transport_rows.hpp"
#include "collectives/algorithm.hpp"
#include "compress/compressor.hpp"
#include "compress/spec.hpp"
#include "kernels/base/check.hpp"
#include "tools/device.hpp"
#include "tools/files.hpp"
#include "tools/launch.hpp"

namespace tw {
namespace {

struct Sweep {
  std::uint64_t ranks = 0;  // 0: the launcher's, or 1
  std::vector<std::string> codecs{"identity"};
  std::uint64_t begin = 64 << 10, end = 64 << 20, factor = 4;
  AllReduceCase base;
  ConnectOptions connect;
  RunConditions conditions;
};

bool is_lossless(const std::string& spec) {
  const Param param{"data", 0, 1, 1, DType::f32};
  return Compressor(spec).codec().traits(param).lossless;
}

class AllReduceCommand final : public Command {
 public:
  void declare(Options& options) override {
    options.integer("--ranks", sweep_.ranks, {1, 200},
                    "ranks to start here, where no launcher started any (default 1)");
    options.text("--lab", lab_, "start each rank on a network host of its own, links held to this rate; needs root");
    options.text("--transport", sweep_.connect.transport, "what moves the bytes (see tightwire info)");
    options.text(
        "--device", device_words_,
        "where tensors lie: cpu, cuda:N, or cuda, which deals a machine's devices to its ranks in turn; without "
        "it cuda with nccl, else cpu");
    options.text("--interface", sweep_.connect.interface, "network interface to bind to");
    options.text("--algorithm", sweep_.base.options.algorithm, "how the all-reduce is scheduled (see tightwire info)");
    options.texts("--codec", sweep_.codecs, "spec of the codec, or several (see tightwire info)");
    options.bytes("-b,--minbytes", sweep_.begin, "smallest tensor, f32");
    options.bytes("-e,--maxbytes", sweep_.end, "largest tensor, f32");
    options.integer("-f,--stepfactor", sweep_.factor, {2, 1 << 20}, "from one size to the next");
    options.integer("-n,--iters", sweep_.base.iterations, {1, 1 << 20}, "measured iterations a size");
    options.integer("-w,--warmup_iters", sweep_.base.warmup, {0, 1 << 20}, "iterations before them");
    options.integer("--threads", sweep_.conditions.threads, {1, 1024}, "threads of a rank that encode and decode");
    options.bytes("--chunk-bytes", sweep_.base.options.chunk_bytes, "f32 bytes a frame aims at");
    options.text("--checksum", checksum_, "on | off: CRC-32C on every frame");
    options.real("--deadline", sweep_.connect.deadline_seconds, "seconds that any wait may take");
    options.text("--json", json_, "write the rows to this file ('-': standard output, instead of the table)");
  }

  int run() override {
    check();
    if (!in_threads_ && launch_.launcher == "none") return start_ranks();
    const auto context = run_context(sweep_.conditions);
    const bool shows = launch_.rank == 0 && json_ != "-";
    if (shows) std::cout << all_reduce_heading(context, device_text()) << std::flush;
    const std::vector<AllReduceRow> rows = measure_all(shows);
    if (shows) std::cout << all_reduce_footer(rows);
    if (launch_.rank == 0 && !json_.empty()) write_json(json_, to_json(rows, context));
    const auto wrong = [](const AllReduceRow& row) { return row.lossless && row.result.wrong != 0; };
    return std::any_of(rows.begin(), rows.end(), wrong) ? kExitFailed : kExitOk;
  }

 private:
  std::vector<AllReduceRow> measure_all(bool shows) const {
    std::vector<AllReduceRow> rows;
    for (const std::string& codec : sweep_.codecs)
      for (std::uint64_t bytes = sweep_.begin; bytes <= sweep_.end; bytes *= sweep_.factor) {
        rows.push_back(measure(codec, bytes / 4));
        if (shows) std::cout << all_reduce_line(rows.back()) << std::flush;
      }
    return rows;
  }

  std::string device_text() const {
    if (!facts_) return "";
    return described(*facts_) + (facts_->interpreted ? ": no GPU, so nothing is timed" : "");
  }
  nlohmann::ordered_json to_json(const std::vector<AllReduceRow>& rows, const nlohmann::ordered_json& context) const {
    nlohmann::ordered_json json = all_reduce_json(rows, context);
    if (facts_) json["device"] = device_json(*facts_);
    return json;
  }

  void check() {
    TW_CHECK(sweep_.begin >= 4 && sweep_.begin <= sweep_.end, UsageError, "sizes from ", sweep_.begin, " to ",
             sweep_.end, " bytes; write -b at least 4 and at most -e");
    TW_CHECK(checksum_ == "on" || checksum_ == "off", UsageError, "--checksum ", checksum_, "; it is on or off");
    TW_CHECK(sweep_.connect.deadline_seconds > 0, UsageError, "--deadline ", sweep_.connect.deadline_seconds,
             "; it is above 0");
    for (const std::string& codec : sweep_.codecs) Compressor{codec};  // before anything is started
    transports_ = transport_rows(sweep_.connect.transport);
    find_algorithm(sweep_.base.options.algorithm);
    CommunicatorOptions& options = sweep_.base.options;
    options.checksum = checksum_ == "on";
    options.deadline_seconds = sweep_.connect.deadline_seconds;
    options.exec.workers = static_cast<std::uint32_t>(sweep_.conditions.threads);
    find_ranks();
    find_device();
    describe_link();
  }

  /// Ranks are threads of this process, were started by a launcher, or are to be started.
  void find_ranks() {
    launch_ = LaunchInfo::from_environment();
    in_threads_ = names_transport(transports_, "loopback");
    const bool launched = launch_.launcher != "none";
    TW_CHECK(!in_threads_ || !launched, UsageError, "transport ", sweep_.connect.transport,
             " joins threads of one process, but ", launch_.launcher, " started processes");
    TW_CHECK(!in_threads_ || lab_.empty(), UsageError, "transport ", sweep_.connect.transport,
             " joins threads of one process; --lab wants processes: use tcp or ucx");
    TW_CHECK(!launched || sweep_.ranks == 0 || sweep_.ranks == launch_.ranks, UsageError, "--ranks ", sweep_.ranks,
             ", but ", launch_.launcher, " started ", launch_.ranks);
    if (launched) sweep_.ranks = launch_.ranks;
    if (sweep_.ranks == 0) sweep_.ranks = 1;
    sweep_.conditions.ranks = sweep_.ranks;
  }

  /// Of this process's rank, or the first of several: what cannot be is said before anything is started.
  void find_device() {
    const bool on_device = moves_device_memory(transports_);
    device_ = parse_device(!device_words_.empty() ? device_words_ : on_device ? "cuda" : "cpu");
    if (device_.backend != Backend::cuda) return;
    TW_CHECK(sweep_.conditions.threads == 1, UsageError, "--threads ", sweep_.conditions.threads,
             " with tensors on a device: threads are the CPU's; leave them out, or say --device cpu");
    put(sweep_.base, place_of(device_, launch_.local_rank));
    facts_ = cuda::device_facts(sweep_.base.options.exec.device);
  }

  /// The same command again, once a rank.
  int start_ranks() const {
    LaunchRequest request;
    request.ranks = static_cast<std::uint32_t>(sweep_.ranks);
    request.lab = lab_;
    request.prefix = SuperviseOptions::Prefix::none;
    request.command = own_command();
    return launch(request);
  }

  /// A rate-limited transport is a link by itself; a lab's ranks are told theirs; elsewhere what moves the bytes is all
  /// that is known.
  void describe_link() {
    if (!lab_.empty()) return;
    const SpecTerm term = parse_spec(sweep_.connect.transport).front();
    sweep_.conditions.link = term.name;
    for (const auto& [key, value, nested] : term.arguments) {
      if (key == "gbit") sweep_.conditions.link = value + "gbit (emulated)";
      if (key == "burst") sweep_.conditions.burst = value;
    }
  }

  AllReduceRow measure(const std::string& codec, std::uint64_t count) const {
    AllReduceCase one = sweep_.base;
    one.count = count;
    one.options.codec = codec;
    const auto ranks = static_cast<std::uint32_t>(sweep_.ranks);
    return {count,
            ranks,
            one.options.algorithm,
            sweep_.connect.transport,
            codec,
            is_lossless(codec),
            in_threads_ ? measure_on_threads(ranks, sweep_.connect, one, device_)
                        : measure_all_reduce(connect_from(one.options.exec, launch_, sweep_.connect), one)};
  }

  Sweep sweep_;
  LaunchInfo launch_;
  std::vector<const TransportRow*> transports_;
  DeviceChoice device_;
  std::optional<cuda::DeviceFacts> facts_;
  bool in_threads_ = false;
  std::string checksum_ = "on", json_, lab_, device_words_;
};

}  // namespace

std::unique_ptr<Command> make_bench_all_reduce_command() { return std::make_unique<AllReduceCommand>(); }

}  // namespace tw
