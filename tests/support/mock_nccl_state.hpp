// What the stand-in for NCCL keeps, and how it matches. All of it under one mutex.
#pragma once

#include <cuda_runtime_api.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>

#include "kernels/base/handle.hpp"
#include "tests/support/mock_nccl.hpp"

namespace tw::test {

using MockEvent = UniqueHandle<cudaEvent_t, cudaEventDestroy>;

struct MockOp {
  enum class Kind : std::uint8_t { send, receive, sum } kind;
  ncclComm* comm;
  std::uint32_t peer;  // not of a sum
  void* data;
  std::size_t bytes;
  cudaStream_t stream;
  MockEvent ready = {};     // recorded when it was posted
  MockEvent moved = {};     // of a send: recorded by its receiver
  std::uint64_t order = 0;  // among those of its pair, or among sums
  std::uint64_t sums_before = 0;
  bool done = false;
};
using MockOpPtr = std::shared_ptr<MockOp>;

// Ranks with one unique id.
struct MockWorld {
  using Pair = std::pair<std::uint32_t, std::uint32_t>;  // from, to
  std::uint32_t ranks = 0;
  std::vector<ncclComm*> members;
  std::map<std::pair<Pair, std::uint64_t>, MockOpPtr> sends;  // not yet received
  std::map<std::uint64_t, std::vector<MockOpPtr>> sums;       // by order; not yet complete

  void forget(const ncclComm* comm);
};

}  // namespace tw::test

struct ncclComm {
  std::shared_ptr<tw::test::MockWorld> world;
  std::uint32_t rank = 0;
  bool alive = true;
  bool finalizing = false;
  ncclResult_t error = ncclSuccess;
  tw::test::NcclFault fault;
  std::uint64_t calls = 0, sums = 0, polls = 0;
  std::map<std::uint32_t, std::uint64_t> sent, received;  // by peer
  std::vector<tw::test::MockOpPtr> pending;
};

namespace tw::test {

struct MockState {
  std::mutex mutex;
  std::condition_variable polled;
  std::uint64_t last_id = 0;
  std::map<std::uint64_t, std::shared_ptr<MockWorld>> worlds;
  std::vector<std::unique_ptr<ncclComm>> comms;  // dead ones too, so that their use is noticed
  std::map<std::uint32_t, NcclFault> faults;
  std::vector<std::string> violations;
  std::size_t aborted = 0;
};
MockState& mock_state();

/// Records a violation.
void blame(std::string text);
/// Begins what one group holds for one communicator.
void begin(ncclComm& comm, std::vector<MockOpPtr> ops);
/// Moves what has found its match. True if nothing of this communicator is pending.
bool advance(ncclComm& comm);

}  // namespace tw::test
