// tcp: one socket between every two ranks, driven by one thread that sleeps in epoll.
#pragma once

#include "collectives/transports/table.hpp"

namespace tw {

TransportPtr connect_tcp(Bootstrap& bootstrap, const SpecTerm& term, const ConnectOptions& options);

}  // namespace tw
