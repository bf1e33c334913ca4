// Stands in for the NCCL transport in builds without CUDA or nccl.h.
#include "collectives/transport.hpp"
#include "collectives/transports/nccl/nccl.hpp"
#include "kernels/base/check.hpp"

namespace tw {

std::string nccl_unavailable() {
  return "this build has no NCCL; install CUDA and NCCL's headers and configure with -DTW_CUDA=ON -DTW_NCCL=ON, or use "
         "the transport ucx or tcp";
}

TransportPtr connect_nccl(Bootstrap&, const SpecTerm&, const ConnectOptions&) {
  TW_FAIL(UsageError, "transport 'nccl' cannot be used here: ", nccl_unavailable());
}

std::string nccl_summary() { return "NCCL: not built in (configure with -DTW_NCCL=ON)"; }

}  // namespace tw
