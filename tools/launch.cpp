#include "tools/launch.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <random>

#include "kernels/base/check.hpp"
#include "tools/context.hpp"
#include "tools/lab.hpp"

namespace tw {
namespace {

constexpr const char* kLabPort = "29500";  // nobody else is on a lab's hosts

/// What other launchers say of a rank: an outer mpirun or srun must not contradict us.
const std::vector<std::string> kForeign = {"OMPI_COMM_WORLD_RANK",
                                           "OMPI_COMM_WORLD_SIZE",
                                           "OMPI_COMM_WORLD_LOCAL_RANK",
                                           "OMPI_COMM_WORLD_LOCAL_SIZE",
                                           "MV2_COMM_WORLD_RANK",
                                           "MV2_COMM_WORLD_SIZE",
                                           "PMI_RANK",
                                           "PMI_SIZE",
                                           "PMIX_RANK",
                                           "SLURM_PROCID",
                                           "SLURM_NTASKS",
                                           "SLURM_LOCALID",
                                           "SLURM_STEP_ID",
                                           "SLURM_STEP_NODELIST"};

bool can_listen(std::uint16_t port) {
  const Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

/// A port for rank 0 to listen on. From below the range that Linux gives to outgoing connections, so that nobody takes
/// it by chance before rank 0 does.
std::uint16_t free_port() {
  std::random_device random;
  for (int attempt = 0; attempt < 100; ++attempt) {
    const auto port = static_cast<std::uint16_t>(20000 + random() % 12000);
    if (can_listen(port)) return port;
  }
  TW_FAIL(SystemError, "found no free port between 20000 and 31999");
}

}  // namespace

std::map<std::string, std::string> rank_environment(std::uint32_t rank, std::uint32_t ranks, Hosts hosts) {
  const bool shared = hosts == Hosts::shared;
  return {{"RANK", std::to_string(rank)},
          {"WORLD_SIZE", std::to_string(ranks)},
          {"LOCAL_RANK", shared ? std::to_string(rank) : "0"},
          {"LOCAL_WORLD_SIZE", shared ? std::to_string(ranks) : "1"},
          {"TW_RANK", std::to_string(rank)},
          {"TW_WORLD_SIZE", std::to_string(ranks)}};
}

void describe(const Lab& lab, std::map<std::string, std::string>& environment) {
  environment["TW_LAB"] = lab.name();
  environment[kLinkVariable] = lab.rate();
  environment[kBurstVariable] = lab.burst();
}

int launch(const LaunchRequest& request) {
  SignalInbox signals;  // before the lab: a signal must not end us while there is one to take down
  std::optional<Lab> lab;
  if (!request.lab.empty()) lab.emplace(request.ranks, request.lab);
  const std::string address = lab ? lab->master_address() : "127.0.0.1";
  const std::string port = lab ? kLabPort : std::to_string(free_port());
  const std::string run_id = std::to_string(std::random_device()()) + "-" + std::to_string(getpid());
  std::vector<ProcessOptions> ranks;
  for (std::uint32_t rank = 0; rank < request.ranks; ++rank) {
    ProcessOptions process;
    if (lab) process.command = lab->on_host(rank);
    process.command.insert(process.command.end(), request.command.begin(), request.command.end());
    process.environment = rank_environment(rank, request.ranks, lab ? Hosts::separate : Hosts::shared);
    process.environment["MASTER_ADDR"] = address;
    process.environment["MASTER_PORT"] = port;
    process.environment["TW_RUN_ID"] = run_id;
    if (lab) describe(*lab, process.environment);
    process.without = kForeign;
    ranks.push_back(std::move(process));
  }
  return supervise(signals, ranks, {request.prefix, request.grace_seconds});
}

}  // namespace tw
