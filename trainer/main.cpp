// tightwire-train: see --help.
#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include <tightwire/error.hpp>

#include "tools/files.hpp"
#include "tools/launch.hpp"
#include "trainer/job.hpp"

namespace {

// Gradients of a large model come and go every step: keep their pages instead of giving them back to the system, which
// costs a page fault each 4 KiB every time.
void keep_memory() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_ARENA_MAX, 1);
}

void print(const tw::trainer::Summary& s) {
  std::printf(
      "%.1f ms/step (compute %.1f, encode %.1f, exposed communication %.1f, decode %.1f), %.2f MB sent a step, ",
      s.step_seconds_median * 1e3, s.mean.compute * 1e3, s.mean.encode * 1e3, s.mean.exposed_comm * 1e3,
      s.mean.decode * 1e3, static_cast<double>(s.wire_bytes_per_step) * 1e-6);
  std::printf("test accuracy %.4f, parameters %s\n", s.test_accuracy, s.parameters_hash.c_str());
}

// The same command again, once a rank.
int launch_ranks(const tw::trainer::TrainOptions& options, const tw::trainer::JobPlan& plan,
                 std::vector<std::string> words) {
  tw::LaunchRequest request;
  request.ranks = plan.ranks;
  request.lab = options.lab;
  request.prefix = tw::SuperviseOptions::Prefix::none;
  request.command = std::move(words);
  request.command.insert(request.command.begin(), std::filesystem::read_symlink("/proc/self/exe"));
  return tw::launch(request);
}

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

// `name` becomes that of the rank, for errors.
int run(const std::vector<std::string>& words, std::string& name) {
  const auto [options, text] = tw::trainer::parse_options(words);
  if (text) {
    std::cout << *text;
    return 0;
  }
  const auto plan = tw::trainer::plan_job(options, environment_variable);
  if (plan.part == tw::trainer::Part::launcher) return launch_ranks(options, plan, words);
  if (plan.part == tw::trainer::Part::rank) name += ": rank " + std::to_string(plan.launch.rank);
  keep_memory();
  const auto result = tw::trainer::run_job(options, plan, std::cerr);
  if (result.rank != 0) return 0;
  if (!options.quiet) print(result);
  if (!options.summary.empty()) tw::write_text(options.summary, tw::trainer::summary_json(result, options));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string name = "tightwire-train";
  try {
    return run({argv + 1, argv + argc}, name);
  } catch (const tw::UsageError& error) {
    std::cerr << name << ": " << error.what() << '\n';
    return 2;
  } catch (const std::exception& error) {
    std::cerr << name << ": " << error.what() << '\n';
    return 1;
  }
}
