// A stand-in for libnccl whose ranks are processes of one machine: libnccl.so.2 for programs that find it at run time.
// Where tests/support/mock_nccl.hpp makes NCCL fail, this one is there so that whole programs can be run without a GPU,
// as they would be run with one. It uses CUDA's runtime and sockets, holds what has been read in NCCL's source of ranks
// that share a GPU, and tells by that whether they were started as they must be.
//
// A group is put onto its stream at once; there its messages meet those of the other ranks. Sums add in the order of
// ranks. Aborting ends what waits.
#include <cuda_runtime_api.h>
#include <nccl.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "kernels/base/check.hpp"
#include "kernels/base/handle.hpp"
#include "kernels/cuda/error.hpp"
#include "tests/process_nccl/mesh.hpp"

namespace tw::process_nccl {
namespace {

using Event = UniqueHandle<cudaEvent_t, cudaEventDestroy>;
using Pinned = UniqueHandle<void*, cudaFreeHost>;

thread_local std::string last_words;

struct Call {
  enum class Kind : std::uint8_t { send, receive, sum } kind;
  ncclComm* comm;
  std::uint32_t peer;  // not of a sum
  void* data;
  std::size_t bytes;
  cudaStream_t stream;
  Pinned copy = {};
  std::vector<std::byte> others = {};  // of a sum

  std::span<std::byte> room() const { return {static_cast<std::byte*>(copy.get()), bytes}; }
  std::span<std::byte> of(std::uint32_t rank) { return std::span(others).subspan(rank * bytes, bytes); }
};

// What ranks must not have in common: the machine, as NCCL tells machines apart, with the GPU.
struct Place {
  char machine[64] = {};
  char gpu[16] = {};
  friend bool operator==(const Place&, const Place&) = default;
};

Place place_of_this_rank() {
  Place place;
  const char* id = std::getenv("NCCL_HOSTID");
  std::strncpy(place.machine, id == nullptr ? "this machine" : id, sizeof place.machine - 1);
  int device = 0;
  TW_CUDA(cudaGetDevice(&device));
  TW_CUDA(cudaDeviceGetPCIBusId(place.gpu, sizeof place.gpu, device));
  return place;
}

}  // namespace

struct Group {
  ncclComm* comm;
  std::vector<Call> calls;
  Event moved = {};
};

}  // namespace tw::process_nccl

using namespace tw;
using namespace tw::process_nccl;

struct ncclComm {
  ncclComm(std::string name, std::uint32_t rank, std::uint32_t ranks, Place place)
      : mesh(std::move(name), rank, ranks), joining([this, place] { run([&] { join(place); }); }) {}
  ~ncclComm() {
    mesh.abort();
    joining.join();
    for (const Group& group : groups) cudaEventSynchronize(group.moved.get());
  }

  void fail(ncclResult_t with, std::string words);
  void run(const std::function<void()>& work);
  void join(const Place& place);
  void enqueue(std::vector<Call> calls);
  void exchange(Group& group);

  Mesh mesh;
  std::deque<Group> groups;  // of which the last may be under way
  std::mutex mutex;
  ncclResult_t state = ncclInProgress;
  std::string words;
  std::thread joining;
};

void ncclComm::fail(ncclResult_t with, std::string text) {
  const std::lock_guard lock(mutex);
  state = with;
  words = std::move(text);
}

void ncclComm::run(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::exception& error) {
    fail(ncclRemoteError, error.what());
  }
}

void ncclComm::join(const Place& place) {
  mesh.connect();
  Place own = place;
  std::vector<Place> places(mesh.ranks());
  std::vector<Part> sends, receives;
  for (std::uint32_t peer = 0; peer < mesh.ranks(); ++peer) {
    if (peer == mesh.rank()) continue;
    sends.push_back({peer, std::as_writable_bytes(std::span(&own, 1))});
    receives.push_back({peer, std::as_writable_bytes(std::span(&places[peer], 1))});
  }
  mesh.exchange(sends, receives);
  for (std::uint32_t peer = 0; peer < mesh.ranks(); ++peer)
    if (peer != mesh.rank() && places[peer] == own)
      return fail(ncclInvalidUsage, detail::concat("Duplicate GPU detected : rank ", mesh.rank(), " and rank ", peer,
                                                   " both on CUDA device ", own.gpu));
  const std::lock_guard lock(mutex);
  state = ncclSuccess;
}

// Through copies on the host, of which the stream itself asks for the exchange.
void ncclComm::enqueue(std::vector<Call> calls) {
  while (!groups.empty() && cudaEventQuery(groups.front().moved.get()) == cudaSuccess) groups.pop_front();
  Group& group = groups.emplace_back(Group{this, std::move(calls)});
  const cudaStream_t stream = group.calls.front().stream;
  for (Call& call : group.calls) {
    TW_CUDA(cudaMallocHost(call.copy.out(), call.bytes));
    if (call.kind == Call::Kind::receive) continue;
    TW_CUDA(cudaMemcpyAsync(call.copy.get(), call.data, call.bytes, cudaMemcpyDeviceToHost, stream));
  }
  const auto meet = [](void* data) {
    auto& met = *static_cast<Group*>(data);
    met.comm->run([&] { met.comm->exchange(met); });
  };
  TW_CUDA(cudaLaunchHostFunc(stream, meet, &group));
  for (Call& call : group.calls)
    if (call.kind != Call::Kind::send)
      TW_CUDA(cudaMemcpyAsync(call.data, call.copy.get(), call.bytes, cudaMemcpyHostToDevice, stream));
  TW_CUDA(cudaEventCreateWithFlags(group.moved.out(), cudaEventDisableTiming));
  TW_CUDA(cudaEventRecord(group.moved.get(), stream));
}

void ncclComm::exchange(Group& group) {
  std::vector<Part> sends, receives;
  for (Call& call : group.calls) {
    if (call.kind == Call::Kind::send) sends.push_back({call.peer, call.room()});
    if (call.kind == Call::Kind::receive) receives.push_back({call.peer, call.room()});
    if (call.kind != Call::Kind::sum) continue;
    call.others.resize(mesh.ranks() * call.bytes);
    std::ranges::copy(call.room(), call.of(mesh.rank()).begin());
    for (std::uint32_t peer = 0; peer < mesh.ranks(); ++peer) {
      if (peer == mesh.rank()) continue;
      sends.push_back({peer, call.room()});
      receives.push_back({peer, call.of(peer)});
    }
  }
  mesh.exchange(sends, receives);
  for (Call& call : group.calls) {
    auto* sum = reinterpret_cast<float*>(call.room().data());
    for (std::uint32_t rank = 0; call.kind == Call::Kind::sum && rank < mesh.ranks(); ++rank) {
      const auto* addend = reinterpret_cast<const float*>(call.of(rank).data());
      for (std::size_t i = 0; i < call.bytes / sizeof(float); ++i) sum[i] = rank == 0 ? addend[i] : sum[i] + addend[i];
    }
  }
}

namespace {

// Of this thread, as in NCCL.
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
  if (call.peer == call.comm->mesh.rank() && call.kind != Call::Kind::sum)
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
    *comm = new ncclComm(id.internal, static_cast<std::uint32_t>(rank), static_cast<std::uint32_t>(ranks),
                         place_of_this_rank());
    return ncclInProgress;
  } catch (const std::exception& error) {
    return refuse(ncclUnhandledCudaError, error.what());
  }
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* error) {
  const std::lock_guard lock(comm->mutex);
  *error = comm->state;
  if (*error != ncclSuccess) last_words = comm->words;
  return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t) { return ncclSuccess; }

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  for (const Group& group : comm->groups) cudaEventSynchronize(group.moved.get());
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
