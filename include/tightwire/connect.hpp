// How ranks find each other and get a transport: from a launcher, from a user's own all-gather, or as threads of one
// process. What comes out goes into a Communicator.
//
//   tw::Communicator comm(tw::connect(tw::LaunchInfo::from_environment(), {.transport = "tcp"}), options);
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <tightwire/launch.hpp>

namespace tw {

class Transport;

/// Lets users hold a transport without its definition.
struct TransportDeleter {
  void operator()(Transport* transport) const;
};
using TransportPtr = std::unique_ptr<Transport, TransportDeleter>;

struct ConnectOptions {
  /// A spec, `name[:key=value,...]`: "tcp", "ucx", "loopback" (ranks in one process), or a wrapper round another, such
  /// as "rate_limited:gbit=1,inner=(loopback)". UsageError lists the known ones.
  std::string transport = "tcp";
  std::string interface = {};    ///< network interface to bind to; empty: the one that leads to the master
  double deadline_seconds = 30;  ///< for everybody to be there and connected
};

/// Meets the other ranks at the launch's master and connects to all of them. Throws PeerError that names a missing
/// rank at the deadline, UsageError where ranks were started with different options, SystemError for what the system
/// refuses.
TransportPtr connect(const LaunchInfo& launch, const ConnectOptions& options);

/// A user's own all-gather: everybody's `in` (equal sizes), by rank, into `out` (ranks times as large). Collective.
using AllGatherCallback = std::function<void(std::span<const std::byte> in, std::span<std::byte> out)>;

/// The same without a master: addresses are exchanged through the user's callback.
TransportPtr connect(std::uint32_t rank, std::uint32_t ranks, AllGatherCallback all_gather,
                     const ConnectOptions& options);

/// A transport for each of `ranks` threads of this process, by rank.
std::vector<TransportPtr> connect_threads(std::uint32_t ranks, const ConnectOptions& options);

}  // namespace tw
