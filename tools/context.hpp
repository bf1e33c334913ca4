// The conditions that every printed number carries: revision, machine, versions, link.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace tw {

/// Version of all JSON that the tools write. It goes up when a field changes its meaning; consumers ignore fields that
/// they do not know.
inline constexpr int kSchemaVersion = 1;

/// Variables by which a launcher tells its ranks of the link between them, for their contexts.
inline constexpr char kLinkVariable[] = "TW_LINK";
inline constexpr char kBurstVariable[] = "TW_LINK_BURST";

/// What only the caller knows.
struct RunConditions {
  std::uint64_t threads = 1;  ///< a rank
  std::uint64_t ranks = 1;
  std::string link;   ///< "1gbit", "loopback", ...; empty: what the launcher said of its lab, or "local"
  std::string burst;  ///< of the link's token bucket; empty: what the launcher said, if anything
};

/// {date, host, revision, version, build, compiler, libraries, kernel, cpu, simd, cores, memory_bytes, threads, ranks,
/// link, burst, environment}. Of the environment only variables that change how this library and those below it work.
nlohmann::ordered_json run_context(const RunConditions& conditions);

}  // namespace tw
