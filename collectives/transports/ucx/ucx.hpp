// ucx: ranks are processes (or threads) of any hosts that UCX connects: shared memory inside a host, TCP or RDMA
// between hosts. Built where CMake finds UCX (option TW_UCX); no_ucx.cpp stands in elsewhere.
#pragma once

#include <string>

#include "collectives/transports/table.hpp"

namespace tw {

/// Empty if this build has UCX; otherwise how to get it.
std::string ucx_unavailable();

/// `ucx:hosts=auto|apart,device=auto|direct|staged`. "apart" takes the network even between ranks of one host. Where
/// UCX reports CUDA memory for all links of a rank, it takes messages in memory of devices (Caps::device_memory),
/// unless it is "staged"; where it does not, "direct" is a UsageError. The ranks need not agree on that.
TransportPtr connect_ucx(Bootstrap& bootstrap, const SpecTerm& term, const ConnectOptions& options);

/// For people: the running UCX's version and the paths that it can take here, "UCX 1.13.1: tcp (eth0, lo); posix, cma".
/// Says so where this build has no UCX.
std::string ucx_summary();

/// For people: whether frames of a device go as they are or staged, by what the running UCX reports.
std::string ucx_device_memory();

}  // namespace tw
