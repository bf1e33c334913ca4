#include "tools/context.hpp"

#include <gnu/libc-version.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>
#include <thread>

#include "collectives/transports/ucx/ucx.hpp"
#include "kernels/base/target.hpp"
#include "tools/build.hpp"

namespace tw {
namespace {

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  utsname names{};
  uname(&names);
  return names.machine;  // some architectures name no model
}

std::string kernel_release() {
  utsname names{};
  uname(&names);
  return std::string(names.sysname) + " " + names.release;
}

/// What `tightwire launch --lab` told its ranks.
std::string told(const char* name, const std::string& otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : value;
}

nlohmann::ordered_json libraries() {
  nlohmann::ordered_json versions{{"glibc", gnu_get_libc_version()}};
  if (const std::string ucx = ucx_summary(); ucx_unavailable().empty())  // "UCX 1.13.1: ..."
    versions["ucx"] = ucx.substr(4, ucx.find(':') - 4);
  return versions;
}

nlohmann::ordered_json relevant_environment() {
  constexpr std::string_view kPrefixes[] = {"TW_", "UCX_",
                                            "OMP_NUM_THREADS=", "OPENBLAS_NUM_THREADS=", "MKL_NUM_THREADS="};
  auto found = nlohmann::ordered_json::object();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    for (const std::string_view prefix : kPrefixes)
      if (text.starts_with(prefix))
        found[std::string(text.substr(0, text.find('=')))] = text.substr(text.find('=') + 1);
  }
  return found;
}

}  // namespace

nlohmann::ordered_json run_context(const RunConditions& conditions) {
  nlohmann::ordered_json context;
  context["date"] = utc_now();
  context["revision"] = build().revision;
  context["version"] = build().version;
  context["build"] = build().sanitizers.empty() ? build().type : build().type + " with " + build().sanitizers;
  context["compiler"] = build().compiler;
  context["libraries"] = libraries();
  context["kernel"] = kernel_release();
  context["cpu"] = cpu_model();
  context["simd"] = simd_target();
  context["cores"] = std::thread::hardware_concurrency();
  context["memory_bytes"] =
      static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  context["threads"] = conditions.threads;
  context["ranks"] = conditions.ranks;
  context["link"] = conditions.link.empty() ? told(kLinkVariable, "local") : conditions.link;
  const std::string burst = conditions.burst.empty() ? told(kBurstVariable, "") : conditions.burst;
  if (!burst.empty()) context["burst"] = burst;
  context["environment"] = relevant_environment();
  return context;
}

}  // namespace tw
