// A stand-in for libnccl whose ranks are processes of one machine: libnccl.so.2 for programs that find it at run time.
// Where tests/support/mock_nccl.hpp makes NCCL fail, this one is there so that whole programs can be run without a GPU,
// as they would be run with one. It uses CUDA's runtime and sockets, holds what has been read in NCCL's source of ranks
// that share a GPU, and tells by that whether they were started as they must be.
//
// A group is put onto its stream at once; there its messages meet those of the other ranks. Sums add in the order of
// ranks. Aborting ends what waits.
#include <cuda_runtime_api.h>
#include <nccl.h>

#include <random>
#include <utility>

#include "kernels/base/check.hpp"
#include "tests/process_nccl/comm.hpp"

using namespace tw;
using namespace tw::process_nccl;

namespace {

// Of this thread, as in NCCL.
thread_local std::string last_words;
thread_local int open_groups = 0;
thread_local std::vector<Call> gathered;

ncclResult_t refuse(ncclResult_t result, std::string words) {
  last_words = std::move(words);
  return result;
}

ncclResult_t close_group() {
  std::vector<Call> calls = std::exchange(gathered, {});
  if (calls.empty()) return ncclSuccess;
  for (const Call& call : calls)
    if (call.comm != calls.front().comm || call.stream != calls.front().stream)
      return refuse(ncclInvalidUsage, "the stand-in takes groups of one communicator on one stream");
  try {
    ncclComm& comm = *calls.front().comm;
    comm.enqueue(std::move(calls));
    return ncclSuccess;
  } catch (const std::exception& error) {
    return refuse(ncclUnhandledCudaError, error.what());
  }
}

ncclResult_t add(Call call) {
  if (call.peer == call.comm->rank() && call.kind != Call::Kind::sum)
    return refuse(ncclInvalidArgument, "the stand-in sends nothing to oneself");
  gathered.push_back(std::move(call));
  return open_groups > 0 ? ncclSuccess : close_group();
}

}  // namespace

extern "C" {

ncclResult_t ncclGetVersion(int* version) {
  *version = NCCL_VERSION_CODE;
  return ncclSuccess;
}

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  std::random_device random;
  const std::string name = detail::concat("tightwire-nccl-", random(), "-", random());
  *id = {};
  name.copy(id->internal, sizeof id->internal - 1);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank, ncclConfig_t* config) {
  if (config->blocking != 0) return refuse(ncclInvalidArgument, "the stand-in has no blocking communicators");
  try {
    *comm = new ncclComm(id.internal, static_cast<std::uint32_t>(rank), static_cast<std::uint32_t>(ranks));
    return ncclInProgress;
  } catch (const std::exception& error) {
    return refuse(ncclUnhandledCudaError, error.what());
  }
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* error) {
  *error = comm->state(last_words);
  return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t) { return ncclSuccess; }

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  comm->settle();
  delete comm;
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  delete comm;
  return ncclSuccess;
}

const char* ncclGetErrorString(ncclResult_t result) {
  switch (result) {
    case ncclSuccess:
      return "no error";
    case ncclUnhandledCudaError:
      return "unhandled cuda error";
    case ncclInvalidArgument:
      return "invalid argument";
    case ncclInvalidUsage:
      return "invalid usage";
    case ncclRemoteError:
      return "remote process exited or there was a network error";
    case ncclInProgress:
      return "operation in progress";
    default:
      return "unknown result code";
  }
}

const char* ncclGetLastError(ncclComm_t) { return last_words.c_str(); }

ncclResult_t ncclGroupStart() {
  ++open_groups;
  return ncclSuccess;
}

ncclResult_t ncclGroupEnd() {
  if (open_groups == 0) return refuse(ncclInvalidUsage, "no group is open");
  return --open_groups > 0 ? ncclSuccess : close_group();
}

ncclResult_t ncclSend(const void* data, size_t count, ncclDataType_t, int peer, ncclComm_t comm, cudaStream_t stream) {
  return add({Call::Kind::send, comm, static_cast<std::uint32_t>(peer), const_cast<void*>(data), count, stream});
}

ncclResult_t ncclRecv(void* data, size_t count, ncclDataType_t, int peer, ncclComm_t comm, cudaStream_t stream) {
  return add({Call::Kind::receive, comm, static_cast<std::uint32_t>(peer), data, count, stream});
}

ncclResult_t ncclAllReduce(const void* from, void* to, size_t count, ncclDataType_t type, ncclRedOp_t op,
                           ncclComm_t comm, cudaStream_t stream) {
  if (from != to || type != ncclFloat32 || op != ncclSum)
    return refuse(ncclInvalidArgument, "the stand-in adds floats in place and no more");
  return add({Call::Kind::sum, comm, 0, to, count * sizeof(float), stream});
}

}  // extern "C"
