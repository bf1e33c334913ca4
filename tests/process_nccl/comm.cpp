#include "tests/process_nccl/comm.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "kernels/base/check.hpp"
#include "kernels/cuda/error.hpp"

using namespace tw;
using namespace tw::process_nccl;

namespace {

Place place_of_this_rank() {
  Place place;
  const char* id = std::getenv("NCCL_HOSTID");
  std::strncpy(place.machine, id == nullptr ? "this machine" : id, sizeof place.machine - 1);
  int device = 0;
  TW_CUDA(cudaGetDevice(&device));
  TW_CUDA(cudaDeviceGetPCIBusId(place.gpu, sizeof place.gpu, device));
  return place;
}

void add_up(Call& call, std::uint32_t ranks) {
  auto* sum = reinterpret_cast<float*>(call.room().data());
  for (std::uint32_t rank = 0; rank < ranks; ++rank) {
    const auto* addend = reinterpret_cast<const float*>(call.of(rank).data());
    for (std::size_t i = 0; i < call.bytes / sizeof(float); ++i) sum[i] = rank == 0 ? addend[i] : sum[i] + addend[i];
  }
}

}  // namespace

ncclComm::ncclComm(std::string name, std::uint32_t rank, std::uint32_t ranks)
    : mesh_(std::move(name), rank, ranks), joining_([this, own = place_of_this_rank()] { run([&] { join(own); }); }) {}

ncclComm::~ncclComm() {
  mesh_.abort();
  joining_.join();
  settle();
}

void ncclComm::settle() {
  for (const Group& group : groups_) cudaEventSynchronize(group.moved.get());
}

ncclResult_t ncclComm::state(std::string& words) {
  const std::lock_guard lock(mutex_);
  if (state_ != ncclSuccess) words = words_;
  return state_;
}

void ncclComm::end(ncclResult_t state, std::string words) {
  const std::lock_guard lock(mutex_);
  state_ = state;
  words_ = std::move(words);
}

void ncclComm::run(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::exception& error) {
    end(ncclRemoteError, error.what());
  }
}

void ncclComm::join(const Place& own) {
  mesh_.connect();
  Place told = own;
  std::vector<Place> places(mesh_.ranks());
  std::vector<Part> sends, receives;
  for (std::uint32_t peer = 0; peer < mesh_.ranks(); ++peer) {
    if (peer == rank()) continue;
    sends.push_back({peer, std::as_writable_bytes(std::span(&told, 1))});
    receives.push_back({peer, std::as_writable_bytes(std::span(&places[peer], 1))});
  }
  mesh_.exchange(sends, receives);
  for (std::uint32_t peer = 0; peer < mesh_.ranks(); ++peer)
    if (peer != rank() && places[peer] == own)
      return end(ncclInvalidUsage, detail::concat("Duplicate GPU detected : rank ", rank(), " and rank ", peer,
                                                  " both on CUDA device ", own.gpu));
  end(ncclSuccess, {});
}

// The stream itself asks for the exchange.
void ncclComm::enqueue(std::vector<Call> calls) {
  while (!groups_.empty() && cudaEventQuery(groups_.front().moved.get()) == cudaSuccess) groups_.pop_front();
  Group& group = groups_.emplace_back(Group{this, std::move(calls)});
  const cudaStream_t stream = group.calls.front().stream;
  TW_CUDA(cudaEventCreateWithFlags(group.moved.out(), cudaEventDisableTiming));
  for (Call& call : group.calls) {
    TW_CUDA(cudaMallocHost(call.copy.out(), call.bytes));
    if (call.kind != Call::Kind::receive)
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
  TW_CUDA(cudaEventRecord(group.moved.get(), stream));
}

void ncclComm::exchange(Group& group) {
  std::vector<Part> sends, receives;
  for (Call& call : group.calls) {
    if (call.kind == Call::Kind::send) sends.push_back({call.peer, call.room()});
    if (call.kind == Call::Kind::receive) receives.push_back({call.peer, call.room()});
    if (call.kind != Call::Kind::sum) continue;
    call.others.resize(mesh_.ranks() * call.bytes);
    std::ranges::copy(call.room(), call.of(rank()).begin());
    for (std::uint32_t peer = 0; peer < mesh_.ranks(); ++peer) {
      if (peer == rank()) continue;
      sends.push_back({peer, call.room()});
      receives.push_back({peer, call.of(peer)});
    }
  }
  mesh_.exchange(sends, receives);
  for (Call& call : group.calls)
    if (call.kind == Call::Kind::sum) add_up(call, mesh_.ranks());
}
