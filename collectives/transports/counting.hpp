// counting:inner=(...): counts what this rank sends, by peer, but for what all_reduce_sum moves, which nobody is told.
// Tests hold the formulas of COSTS.md against it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "collectives/transports/table.hpp"

namespace tw {

struct Traffic {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
};

/// Written by the transport's thread, read by any; may outlive the transport.
class TrafficCounts {
 public:
  explicit TrafficCounts(std::uint32_t ranks) : peers_(ranks) {}
  void add(std::uint32_t peer, std::size_t bytes);
  Traffic sent_to(std::uint32_t peer) const;
  /// To all peers together.
  Traffic sent() const;

 private:
  struct Peer {
    std::atomic<std::uint64_t> messages = 0, bytes = 0;
  };
  std::vector<Peer> peers_;
};

TransportPtr connect_counting(Bootstrap& bootstrap, const SpecTerm& term, const ConnectOptions& options);

/// The counts of a transport that is a counting one. UsageError for others.
std::shared_ptr<const TrafficCounts> counts_of(const Transport& transport);

}  // namespace tw
