// A communicator of the stand-in: its ranks' sockets, and the groups that it has put onto streams.
#pragma once

#include <cuda_runtime_api.h>
#include <nccl.h>

#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "kernels/base/handle.hpp"
#include "tests/process_nccl/mesh.hpp"

namespace tw::process_nccl {

using Event = UniqueHandle<cudaEvent_t, cudaEventDestroy>;
using Pinned = UniqueHandle<void*, cudaFreeHost>;

/// One call of a group, through a copy of its memory on the host.
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

/// What ranks must not have in common: the machine, as NCCL tells machines apart, with the GPU.
struct Place {
  char machine[64] = {};
  char gpu[16] = {};
  friend bool operator==(const Place&, const Place&) = default;
};

struct Group {
  ncclComm* comm;
  std::vector<Call> calls;
  Event moved = {};
};

}  // namespace tw::process_nccl

struct ncclComm {
  /// Joins in the background.
  ncclComm(std::string name, std::uint32_t rank, std::uint32_t ranks);
  /// Ends what waits for others.
  ~ncclComm();

  std::uint32_t rank() const { return mesh_.rank(); }
  /// What NCCL calls its asynchronous error, and more about it in words.
  ncclResult_t state(std::string& words);
  /// Of one stream. Throws CudaError.
  void enqueue(std::vector<tw::process_nccl::Call> calls);
  /// Waits for all that was enqueued.
  void settle();

 private:
  void end(ncclResult_t state, std::string words);
  void run(const std::function<void()>& work);
  void join(const tw::process_nccl::Place& own);
  void exchange(tw::process_nccl::Group& group);

  tw::process_nccl::Mesh mesh_;
  std::deque<tw::process_nccl::Group> groups_;  // those that may be under way
  std::mutex mutex_;
  ncclResult_t state_ = ncclInProgress;
  std::string words_;
  std::thread joining_;
};
