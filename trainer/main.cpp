// tightwire-train: see --help.
#include <malloc.h>

#include <cstdio>
#include <iostream>

#include <tightwire/error.hpp>

#include "bench/files.hpp"
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

int run(int argc, char** argv) {
  const auto parsed = tw::trainer::parse_options({argv + 1, argv + argc});
  if (parsed.text) {
    std::cout << *parsed.text;
    return 0;
  }
  keep_memory();
  const auto result = tw::trainer::run_job(parsed.options, std::cerr);
  if (result.rank != 0) return 0;
  if (!parsed.options.quiet) print(result);
  if (!parsed.options.summary.empty())
    tw::write_text(parsed.options.summary, tw::trainer::summary_json(result, parsed.options));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const tw::UsageError& error) {
    std::cerr << "tightwire-train: " << error.what() << '\n';
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "tightwire-train: " << error.what() << '\n';
    return 1;
  }
}
