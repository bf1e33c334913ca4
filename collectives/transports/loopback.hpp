// loopback: ranks are threads of one process. A message is copied once, by its receiver, straight from the sender's
// memory.
#pragma once

#include "collectives/transports/table.hpp"

namespace tw {

TransportPtr connect_loopback(Bootstrap& bootstrap, const SpecTerm& term, const ConnectOptions& options);

}  // namespace tw
