#include "tests/support/mock_nccl.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "kernels/base/check.hpp"
#include "tests/support/mock_nccl_state.hpp"

namespace tw::test {
namespace {

// Of this thread, as in NCCL.
struct OpenGroup {
  int depth = 0;
  bool failed = false;
  std::vector<MockOpPtr> ops;
};
thread_local OpenGroup open_group;
thread_local std::string last_words;

ncclResult_t refuse(ncclResult_t result, std::string words) {
  last_words = std::move(words);
  return result;
}

// Runs `call` on a communicator that is alive.
template <class Call>
ncclResult_t with(ncclComm* comm, std::string_view what, const Call& call) {
  const std::lock_guard lock(mock_state().mutex);
  if (comm == nullptr || !comm->alive) {
    blame(detail::concat(what, " on a communicator that is no more"));
    return refuse(ncclInvalidArgument, "no such communicator");
  }
  try {
    return call();
  } catch (const std::exception& error) {
    return refuse(ncclUnhandledCudaError, error.what());
  }
}

// An operation may begin only when the one before has left "in progress".
ncclResult_t start(const std::vector<MockOpPtr>& ops) {
  ncclComm& comm = *ops.front()->comm;
  return with(&comm, "a group", [&] {
    if (!comm.pending.empty()) {
      blame(detail::concat("rank ", comm.rank, " begins a group while its last is in progress"));
      return refuse(ncclInvalidUsage, "the last group is in progress");
    }
    begin(comm, ops);
    return advance(comm) ? ncclSuccess : ncclInProgress;
  });
}

ncclResult_t end_group() {
  OpenGroup group = std::exchange(open_group, {});
  if (group.failed) return refuse(ncclInvalidArgument, "a call of the group has failed");
  return group.ops.empty() ? ncclSuccess : start(group.ops);
}

ncclResult_t queue(MockOp op, std::string_view what) {
  const ncclResult_t result = with(op.comm, what, [&] {
    ncclComm& comm = *op.comm;
    const NcclFault& fault = comm.fault;
    ++comm.calls;
    if (fault.failing_call == comm.calls) return refuse(ncclInvalidArgument, "the call was told to fail");
    if (fault.error_after == comm.calls) comm.error = fault.background_error;
    return ncclSuccess;
  });
  open_group.failed |= result != ncclSuccess;
  if (result == ncclSuccess) open_group.ops.push_back(std::make_shared<MockOp>(std::move(op)));
  return result != ncclSuccess || open_group.depth > 0 ? result : end_group();
}

bool joined(const ncclComm& comm) {
  return !comm.fault.joining_hangs && comm.world->members.size() == comm.world->ranks;
}

bool finalized(const ncclComm& comm) {
  const auto& members = comm.world->members;
  return !comm.fault.finalizes_together ||
         std::all_of(members.begin(), members.end(), [](const ncclComm* member) { return member->finalizing; });
}

ncclComm* join(MockState& state, std::uint64_t id, std::uint32_t ranks, std::uint32_t rank) {
  auto& world = state.worlds[id];
  if (world == nullptr) world = std::make_shared<MockWorld>();
  world->ranks = ranks;
  state.comms.push_back(std::make_unique<ncclComm>());
  ncclComm* comm = state.comms.back().get();
  comm->world = world;
  comm->rank = rank;
  comm->fault = state.faults[rank];
  world->members.push_back(comm);
  return comm;
}

ncclComm* living(std::uint32_t rank) {
  for (const auto& comm : mock_state().comms)
    if (comm->alive && comm->rank == rank) return comm.get();
  return nullptr;
}

void end(ncclComm& comm) {
  comm.alive = false;
  comm.world->forget(&comm);
  comm.pending.clear();
}

}  // namespace

void MockNccl::reset() {
  MockState& state = mock_state();
  const std::lock_guard lock(state.mutex);
  state.worlds.clear();
  state.comms.clear();
  state.faults.clear();
  state.violations.clear();
  state.aborted = 0;
}

void MockNccl::set_fault(std::uint32_t rank, NcclFault fault) {
  const std::lock_guard lock(mock_state().mutex);
  mock_state().faults[rank] = std::move(fault);
}

std::vector<std::string> MockNccl::violations() {
  const std::lock_guard lock(mock_state().mutex);
  return mock_state().violations;
}

void MockNccl::strike(std::uint32_t rank, ncclResult_t error) {
  const std::lock_guard lock(mock_state().mutex);
  if (ncclComm* comm = living(rank)) comm->error = error;
}

void MockNccl::wait_for_polls(std::uint32_t rank, std::uint64_t polls) {
  std::unique_lock lock(mock_state().mutex);
  const ncclComm* comm = living(rank);
  const std::uint64_t enough = comm->polls + polls;
  mock_state().polled.wait(lock, [&] { return comm->polls >= enough; });
}

bool MockNccl::alive(std::uint32_t rank) {
  const std::lock_guard lock(mock_state().mutex);
  return living(rank) != nullptr;
}

bool MockNccl::group_is_open() { return open_group.depth > 0; }

std::size_t MockNccl::communicators() {
  const std::lock_guard lock(mock_state().mutex);
  const auto& comms = mock_state().comms;
  return static_cast<std::size_t>(std::count_if(comms.begin(), comms.end(), [](const auto& c) { return c->alive; }));
}

std::size_t MockNccl::aborted() {
  const std::lock_guard lock(mock_state().mutex);
  return mock_state().aborted;
}

}  // namespace tw::test

using namespace tw::test;

extern "C" {

ncclResult_t ncclGetVersion(int* version) {
  *version = NCCL_VERSION_CODE;
  return ncclSuccess;
}

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  const std::lock_guard lock(mock_state().mutex);
  const std::uint64_t number = ++mock_state().last_id;
  std::memcpy(id->internal, &number, sizeof number);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank, ncclConfig_t* config) {
  MockState& state = mock_state();
  std::unique_lock lock(state.mutex);
  const NcclFault fault = state.faults[static_cast<std::uint32_t>(rank)];
  lock.unlock();
  if (fault.before_joining) fault.before_joining();
  if (config->blocking != 0) return refuse(ncclInvalidArgument, "the stand-in has no blocking communicators");
  if (fault.joining_fails) return refuse(*fault.joining_fails, "joining was told to fail");
  lock.lock();
  std::uint64_t number = 0;
  std::memcpy(&number, id.internal, sizeof number);
  *comm = join(state, number, static_cast<std::uint32_t>(ranks), static_cast<std::uint32_t>(rank));
  return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* error) {
  return with(comm, "ncclCommGetAsyncError", [&] {
    ++comm->polls;
    mock_state().polled.notify_all();
    const bool settled = joined(*comm) && advance(*comm) && (!comm->finalizing || finalized(*comm));
    *error = comm->error != ncclSuccess ? comm->error : settled ? ncclSuccess : ncclInProgress;
    return ncclSuccess;
  });
}

ncclResult_t ncclCommFinalize(ncclComm_t comm) {
  return with(comm, "ncclCommFinalize", [&] {
    comm->finalizing = true;
    return ncclInProgress;
  });
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  return with(comm, "ncclCommDestroy", [&] {
    if (!comm->pending.empty()) blame(tw::detail::concat("rank ", comm->rank, " destroys what is in progress"));
    if (!comm->finalizing) blame(tw::detail::concat("rank ", comm->rank, " destroys what was not finalized"));
    end(*comm);
    return ncclSuccess;
  });
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  return with(comm, "ncclCommAbort", [&] {
    ++mock_state().aborted;
    end(*comm);
    return ncclSuccess;
  });
}

const char* ncclGetErrorString(ncclResult_t result) {
  constexpr const char* kTexts[] = {"no error",
                                    "unhandled cuda error",
                                    "unhandled system error",
                                    "internal error",
                                    "invalid argument",
                                    "invalid usage",
                                    "remote process exited or there was a network error",
                                    "operation in progress"};
  return static_cast<std::size_t>(result) < std::size(kTexts) ? kTexts[result] : "unknown result code";
}

const char* ncclGetLastError(ncclComm_t) { return last_words.c_str(); }

ncclResult_t ncclGroupStart() {
  ++open_group.depth;
  return ncclSuccess;
}

ncclResult_t ncclGroupEnd() {
  if (open_group.depth == 0) return refuse(ncclInvalidUsage, "no group is open");
  return --open_group.depth > 0 ? ncclSuccess : end_group();
}

ncclResult_t ncclSend(const void* data, size_t count, ncclDataType_t, int peer, ncclComm_t comm, cudaStream_t stream) {
  return queue({MockOp::Kind::send, comm, static_cast<std::uint32_t>(peer), const_cast<void*>(data), count, stream},
               "ncclSend");
}

ncclResult_t ncclRecv(void* data, size_t count, ncclDataType_t, int peer, ncclComm_t comm, cudaStream_t stream) {
  return queue({MockOp::Kind::receive, comm, static_cast<std::uint32_t>(peer), data, count, stream}, "ncclRecv");
}

ncclResult_t ncclAllReduce(const void* from, void* to, size_t count, ncclDataType_t type, ncclRedOp_t op,
                           ncclComm_t comm, cudaStream_t stream) {
  if (from != to || type != ncclFloat32 || op != ncclSum)
    return refuse(ncclInvalidArgument, "the stand-in adds floats in place and no more");
  return queue({MockOp::Kind::sum, comm, 0, to, count * sizeof(float), stream}, "ncclAllReduce");
}

}  // extern "C"
