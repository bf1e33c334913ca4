// Starts one local process a rank, each told by its environment which rank it is and where the others meet.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tools/supervisor.hpp"

namespace tw {

struct LaunchRequest {
  std::uint32_t ranks = 1;
  std::vector<std::string> command;
  std::string lab;  ///< rate of the links between them; empty: all on this host
  SuperviseOptions::Prefix prefix = SuperviseOptions::Prefix::rank;
  double grace_seconds = 5;
};

/// The variables of rank `rank` of `ranks` that share one host, or of one host each.
enum class Hosts : std::uint8_t { shared, separate };
std::map<std::string, std::string> rank_environment(std::uint32_t rank, std::uint32_t ranks, Hosts hosts);

/// Runs the job to its end; returns its exit code (see `supervise`).
int launch(const LaunchRequest& request);

}  // namespace tw
