// faulty:seed=1,delay=8,corrupt=0.01,inner=(...): does to a rank's messages what networks do, by a seed, so that a
// failure can be had again. Faults befall what is sent; which message suffers is a function of (seed, rank, number of
// the message) alone. Delays are counted in calls of progress, so nothing depends on the clock.
#pragma once

#include <cstdint>
#include <optional>

#include "collectives/transports/table.hpp"
#include "compress/params.hpp"

namespace tw {

struct FaultyParams {
  std::uint64_t seed = 0;
  std::optional<std::uint64_t> rank;  ///< the rank that suffers; all of them when left out
  std::uint64_t delay = 0;            ///< most calls of progress for which a message is held; tags overtake each other
  std::optional<double> truncate, corrupt, drop;  ///< probability for each message
  std::optional<std::uint64_t> kill;              ///< the rank dies instead of sending its n-th message, counted from 1

  static void declare(FaultyParams& p, ParamVisitor& v);
};

TransportPtr connect_faulty(Bootstrap& bootstrap, const SpecTerm& term, const ConnectOptions& options);

}  // namespace tw
