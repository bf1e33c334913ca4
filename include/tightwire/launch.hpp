// Which rank this process is, and where the others meet: from arguments, or from the launcher that started it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace tw {

/// What the user says of it; whatever is left out, the launcher says.
struct LaunchFlags {
  std::optional<std::uint32_t> rank = {}, ranks = {};
  std::optional<std::string> master_addr = {};
  std::optional<std::uint16_t> master_port = {};
};

/// Rank, size and meeting point of a job.
struct LaunchInfo {
  std::uint32_t rank = 0;
  std::uint32_t ranks = 1;
  std::uint32_t local_rank = 0;
  std::uint32_t local_ranks = 1;
  std::string master_addr = "127.0.0.1";
  std::uint16_t master_port = 29500;
  std::string run_id;             ///< ranks of different runs refuse each other
  std::string launcher = "none";  ///< who said so: flags, tightwire (TW_*), torchrun, ..., none

  using Flags = LaunchFlags;
  /// Reads the process environment: the one place where the library does. What `flags` holds wins over it.
  /// Throws UsageError for values that are no numbers, a rank outside [0, ranks), and launchers that disagree (both are
  /// named). Order: flags, TW_RANK and TW_WORLD_SIZE, torchrun, Open MPI, MVAPICH, PMI, Slurm (ignored where another
  /// launcher is present). TW_MASTER_ADDR, TW_MASTER_PORT and TW_RUN_ID win over a launcher's.
  static LaunchInfo from_environment(const Flags& flags = {});
  /// The same from any lookup; for tests and recorded environments.
  using Lookup = std::function<std::optional<std::string>(const std::string& name)>;
  static LaunchInfo from(const Lookup& lookup, const Flags& flags = {});
};

}  // namespace tw
