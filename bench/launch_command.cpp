// `tightwire launch -n N -- CMD`.
#include "bench/commands.hpp"
#include "kernels/base/check.hpp"
#include "tools/launch.hpp"

namespace tw {
namespace {

constexpr std::uint32_t kMostRanks = 200;

class LaunchCommand final : public Command {
 public:
  void declare(Options& options) override {
    options.integer("-n,--ranks", ranks_, {1, kMostRanks}, "processes to start");
    options.required();
    options.text(
        "--lab", request_.lab,
        "run each rank on a network host of its own, links held to this rate (1gbit, 100mbit, none); needs root");
    options.flag("--no-prefix", no_prefix_, "pass output on as it is, without '[rank] '");
    options.real("--grace", request_.grace_seconds, "seconds between asking the ranks to end and killing them");
    options.rest("CMD...", request_.command, "the command each rank runs");
  }
  int run() override {
    TW_CHECK(!request_.command.empty(), UsageError, "no command; write: tightwire launch -n N -- CMD");
    TW_CHECK(request_.grace_seconds >= 0, UsageError, "--grace ", request_.grace_seconds, " is negative");
    request_.ranks = static_cast<std::uint32_t>(ranks_);
    if (no_prefix_) request_.prefix = SuperviseOptions::Prefix::none;
    return launch(request_);
  }

 private:
  std::uint64_t ranks_ = 1;
  bool no_prefix_ = false;
  LaunchRequest request_;
};

}  // namespace

std::unique_ptr<Command> make_launch_command() { return std::make_unique<LaunchCommand>(); }

}  // namespace tw
