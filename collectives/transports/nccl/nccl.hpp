// nccl: each rank has a GPU. Messages in device memory go through an NCCL communicator, in the order of streams; those
// in host memory, and the news of who is alive, go through another transport, the control. Built where CMake finds CUDA
// and nccl.h (option TW_NCCL); no_nccl.cpp stands in elsewhere. libnccl is loaded when it is first asked for.
//
// Groups in device memory:
//   - Messages between two ranks match in the order they were posted, whatever their tags. Both ranks must post the
//     same groups in the same order, all-reduces among them; a send has as many bytes as its receive.
//   - A group may not start before its peers have posted their part too, since NCCL enqueues nothing before it has a
//   path
//     to them: a rank must not make that part depend on a later message of this one in device memory. Messages in host
//     memory pass meanwhile. `progress` throws where a group has not started within the seconds given to `connect`.
//   - A message to oneself is for a group that holds both its send and its receive. Empty messages are done at once.
//   - NCCL cannot cancel: memory of an unfinished group, also of one whose request is gone, stays in use until its
//     stream has passed it or the transport has failed, was aborted or destroyed.
//   - A process that uses NCCL for other things on this device issues all of it in the same order on every rank.
#pragma once

#include <string>

#include "collectives/transports/table.hpp"

namespace tw {

/// Empty if this build has NCCL and this machine a library, a driver and a device; otherwise what is missing.
std::string nccl_unavailable();

/// `nccl:control=(tcp),device=N,library=PATH`: the transport of host messages; the CUDA device, the calling thread's
/// current one if left out; a libnccl other than the one that the process has or the dynamic linker finds. Collective.
TransportPtr connect_nccl(Bootstrap& bootstrap, const SpecTerm& term, const ConnectOptions& options);

/// For people: the library found and where, "NCCL 2.28.9 (/usr/lib/libnccl.so.2)", or why there is none.
std::string nccl_summary();

}  // namespace tw
