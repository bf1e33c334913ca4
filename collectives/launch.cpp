// What launchers say about this process. A launcher is a row of names; where two of them speak, they must agree.
// Slurm's variables stay in the environment of whatever is started inside an allocation, so they count only where
// nobody else speaks.
#include <tightwire/launch.hpp>

#include <charconv>
#include <cstdlib>
#include <limits>
#include <vector>

#include "collectives/nodelist.hpp"
#include "kernels/base/check.hpp"

namespace tw {
namespace {

constexpr std::uint32_t kMaxRanks = 1u << 16;

struct Launcher {
  const char* name;
  const char* rank;
  const char* ranks;
  const char* local_rank;
  const char* local_ranks;
  const char* run_id;
};

constexpr Launcher kTightwire{"tightwire", "TW_RANK", "TW_WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", ""};
constexpr Launcher kLaunchers[] = {
    {"torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "TORCHELASTIC_RUN_ID"},
    {"openmpi", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK",
     "OMPI_COMM_WORLD_LOCAL_SIZE", "PMIX_NAMESPACE"},
    {"mvapich", "MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_LOCAL_RANK", "MV2_COMM_WORLD_LOCAL_SIZE",
     ""},
    {"pmi", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS", ""},
};
constexpr Launcher kSlurm{"slurm", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", "", ""};

class Environment {
 public:
  explicit Environment(const LaunchInfo::Lookup& lookup) : lookup_(lookup) {}

  std::optional<std::string> text(const char* name) const {
    if (*name == '\0') return std::nullopt;
    auto value = lookup_(name);
    return value && !value->empty() ? value : std::nullopt;
  }
  std::optional<std::uint32_t> number(const char* name, std::uint32_t most = kMaxRanks) const {
    const auto value = text(name);
    if (!value) return std::nullopt;
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), number);
    TW_CHECK(error == std::errc() && end == value->data() + value->size() && number <= most, UsageError, name, " is '",
             *value, "'; a whole number from 0 to ", most, " is needed");
    return number;
  }

 private:
  const LaunchInfo::Lookup& lookup_;
};

// What one launcher says.
struct Claim {
  const Launcher* launcher;
  std::uint32_t rank, ranks;
  std::optional<std::uint32_t> local_rank, local_ranks;

  std::string text() const {
    return detail::concat(launcher->name, " says rank ", rank, " of ", ranks, " (", launcher->rank, ", ",
                          launcher->ranks, ")");
  }
};

std::optional<Claim> claim_of(const Launcher& launcher, const Environment& environment) {
  const auto rank = environment.number(launcher.rank);
  const auto ranks = environment.number(launcher.ranks);
  if (!rank && !ranks) return std::nullopt;
  TW_CHECK(rank && ranks, UsageError, rank ? launcher.rank : launcher.ranks, " is set but ",
           rank ? launcher.ranks : launcher.rank, " is not; ", launcher.name, " sets both");
  return Claim{&launcher, *rank, *ranks, environment.number(launcher.local_rank),
               environment.number(launcher.local_ranks)};
}

// Slurm speaks of this process only inside a step that srun started: a batch script, and the shell of an allocation,
// have its variables too, and step ids from 0xfffffffa on.
std::optional<Claim> slurm_claim(const Environment& environment) {
  constexpr std::uint32_t kAnyId = std::numeric_limits<std::uint32_t>::max();
  const auto step = environment.number("SLURM_STEP_ID", kAnyId);
  if (!step || *step >= 0xfffffffau || !environment.text("SLURM_STEP_NODELIST") || !environment.text(kSlurm.rank))
    return std::nullopt;
  auto claim = claim_of(kSlurm, environment);
  const auto tasks = environment.text("SLURM_STEP_TASKS_PER_NODE");
  const auto node = environment.number("SLURM_NODEID");
  if (tasks && node) claim->local_ranks = tasks_on_node(*tasks, *node);
  return claim;
}

// The launcher to believe, if any. `check` is off where flags say it all.
std::optional<Claim> find_claim(const Environment& environment, bool check) {
  if (auto own = claim_of(kTightwire, environment)) return own;
  std::optional<Claim> found;
  for (const Launcher& launcher : kLaunchers) {
    const auto claim = claim_of(launcher, environment);
    if (!claim) continue;
    TW_CHECK(!check || !found || (found->rank == claim->rank && found->ranks == claim->ranks), UsageError,
             "two launchers disagree: ", found->text(), ", ", claim->text(),
             "; unset one's variables, or set TW_RANK and TW_WORLD_SIZE");
    if (!found) found = claim;
  }
  return found ? found : slurm_claim(environment);
}

void apply_claim(const Claim& claim, LaunchInfo& info) {
  info.rank = claim.rank;
  info.ranks = claim.ranks;
  info.launcher = claim.launcher->name;
}

void apply_flags(const LaunchInfo::Flags& flags, bool claimed, LaunchInfo& info) {
  if (!flags.rank && !flags.ranks) return;
  TW_CHECK(claimed || (flags.rank && flags.ranks) || flags.ranks == 1u, UsageError, "only the ",
           flags.rank ? "rank" : "number of ranks", " was given, and no launcher says the other");
  info.rank = flags.rank.value_or(info.rank);
  info.ranks = flags.ranks.value_or(info.ranks);
  info.launcher = "flags";
}

std::string run_id_of(const Environment& environment, const LaunchInfo& info, const std::optional<Claim>& claim) {
  if (const auto id = environment.text("TW_RUN_ID")) return *id;
  if (info.launcher == "slurm")
    return environment.text("SLURM_JOB_ID")
        .value_or("")
        .append(".")
        .append(environment.text("SLURM_STEP_ID").value_or(""));
  std::string id = claim ? environment.text(claim->launcher->run_id).value_or("") : std::string();
  // A restarted worker group hands out ranks anew.
  if (info.launcher == "torchrun") id.append("/").append(environment.text("TORCHELASTIC_RESTART_COUNT").value_or("0"));
  return id;
}

std::uint16_t port_of(const Environment& environment, const LaunchInfo& info) {
  constexpr std::uint32_t kMostPort = 65535;
  if (const auto port = environment.number("TW_MASTER_PORT", kMostPort)) return static_cast<std::uint16_t>(*port);
  if (const auto port = environment.number("MASTER_PORT", kMostPort)) {
    // torchrun's own store may sit on that port already.
    const bool taken = info.launcher == "torchrun" && environment.text("TORCHELASTIC_USE_AGENT_STORE") == "True";
    return static_cast<std::uint16_t>(taken && *port < kMostPort ? *port + 1 : *port);
  }
  constexpr std::uint32_t kFirstPort = 61440, kPorts = 4096;  // above what systems hand out by themselves
  const auto job = environment.number("SLURM_JOB_ID", std::numeric_limits<std::uint32_t>::max());
  if (info.launcher == "slurm" && job) return static_cast<std::uint16_t>(kFirstPort + *job % kPorts);
  return info.master_port;
}

std::string host_of(const Environment& environment, const LaunchInfo& info, const std::optional<Claim>& claim) {
  if (const auto host = environment.text("TW_MASTER_ADDR")) return *host;
  if (const auto host = environment.text("MASTER_ADDR")) return *host;
  if (info.launcher == "slurm") return first_host(*environment.text("SLURM_STEP_NODELIST"));
  const bool elsewhere = claim && info.launcher != "flags" && claim->local_ranks && *claim->local_ranks < info.ranks;
  TW_CHECK(!elsewhere, UsageError, info.launcher, " runs ", info.ranks, " ranks, ", *claim->local_ranks,
           " of them on this host, but does not say where they meet: set MASTER_ADDR to the host of rank 0");
  return info.master_addr;
}

// Where nobody says who shares this host, all do if they meet at its loopback.
void apply_local(const std::optional<Claim>& claim, LaunchInfo& info) {
  const bool one_host = info.master_addr == "127.0.0.1" || info.master_addr == "localhost" || info.master_addr == "::1";
  const bool trusted = claim && info.launcher != "flags";
  info.local_rank = trusted && claim->local_rank ? *claim->local_rank : (one_host ? info.rank : 0);
  info.local_ranks = trusted && claim->local_ranks ? *claim->local_ranks : (one_host ? info.ranks : 1);
}

}  // namespace

LaunchInfo LaunchInfo::from_environment(const Flags& flags) {
  return from(
      [](const std::string& name) {
        const char* value = std::getenv(name.c_str());
        return value == nullptr ? std::nullopt : std::optional<std::string>(value);
      },
      flags);
}

LaunchInfo LaunchInfo::from(const Lookup& lookup, const Flags& flags) {
  const Environment environment(lookup);
  const auto claim = find_claim(environment, !(flags.rank && flags.ranks));
  LaunchInfo info;
  if (claim) apply_claim(*claim, info);
  apply_flags(flags, claim.has_value(), info);
  TW_CHECK(info.ranks >= 1 && info.ranks <= kMaxRanks, UsageError, info.ranks, " ranks; 1 to ", kMaxRanks);
  TW_CHECK(info.rank < info.ranks, UsageError, "rank ", info.rank, " of ", info.ranks, " (said ", info.launcher,
           "); ranks are 0 to ", info.ranks - 1);
  info.run_id = run_id_of(environment, info, claim);
  info.master_port = flags.master_port.value_or(port_of(environment, info));
  info.master_addr = flags.master_addr ? *flags.master_addr : host_of(environment, info, claim);
  apply_local(claim, info);
  return info;
}

}  // namespace tw
