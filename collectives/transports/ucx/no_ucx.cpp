// Stands in for the UCX transport in builds without UCX.
#include "collectives/transport.hpp"
#include "collectives/transports/ucx/ucx.hpp"
#include "kernels/base/check.hpp"

namespace tw {

std::string ucx_unavailable() {
  return "this build has no UCX; install its headers (Debian: libucx-dev) and configure with -DTW_UCX=ON, or use the "
         "transport tcp";
}

TransportPtr connect_ucx(Bootstrap&, const SpecTerm&, const ConnectOptions&) {
  TW_FAIL(UsageError, "transport 'ucx' cannot be used here: ", ucx_unavailable());
}

std::string ucx_device_memory() { return "staged through pinned memory"; }

std::string ucx_summary() { return "not built in (configure with -DTW_UCX=ON)"; }

}  // namespace tw
