// How ranks that have met get a connection to each other: everybody listens at an address of the named interface and
// tells it, with a secret token, to the members of the rendezvous; a rank connects to all ranks below it. Whoever
// cannot show the listener's token is dropped, having cost one fixed slot for at most two seconds.
#pragma once

#include <memory>
#include <vector>

#include <tightwire/connect.hpp>

#include "collectives/bootstrap.hpp"
#include "collectives/transports/tcp_link.hpp"

namespace tw {

/// A link to every other rank, by rank (null for itself). Collective. Throws PeerError that names a rank which did not
/// connect by the deadline.
std::vector<std::unique_ptr<TcpLink>> connect_links(Bootstrap& bootstrap, const ConnectOptions& options);

}  // namespace tw
