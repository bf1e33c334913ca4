#include "tests/support/mock_nccl_state.hpp"

#include <algorithm>

#include "kernels/base/check.hpp"
#include "kernels/cuda/error.hpp"

namespace tw::test {
namespace {

MockEvent record(cudaStream_t stream) {
  MockEvent event;
  TW_CUDA(cudaEventCreateWithFlags(event.out(), cudaEventDisableTiming));
  TW_CUDA(cudaEventRecord(event.get(), stream));
  return event;
}

void mismatch(ncclComm& one, ncclComm& other, std::string text) {
  blame(std::move(text));
  one.error = other.error = ncclInvalidUsage;
}

void check_match(const MockOp& send, const MockOp& receive) {
  const std::uint32_t from = send.comm->rank, to = receive.comm->rank;
  if (send.bytes != receive.bytes)
    mismatch(*send.comm, *receive.comm,
             detail::concat("rank ", from, " sends ", send.bytes, " bytes to rank ", to, ", which receives ",
                            receive.bytes));
  if (send.sums_before != receive.sums_before)
    mismatch(*send.comm, *receive.comm,
             detail::concat("rank ", from, " sends after ", send.sums_before, " all-reduces what rank ", to,
                            " receives after ", receive.sums_before));
}

void receive(MockOp& op) {
  MockWorld& world = *op.comm->world;
  const auto found = world.sends.find({{op.peer, op.comm->rank}, op.order});
  if (found == world.sends.end()) return;
  const MockOpPtr send = found->second;
  world.sends.erase(found);
  check_match(*send, op);
  TW_CUDA(cudaStreamWaitEvent(op.stream, send->ready.get(), 0));
  TW_CUDA(cudaMemcpyAsync(op.data, send->data, std::min(send->bytes, op.bytes), cudaMemcpyDeviceToDevice, op.stream));
  send->moved = record(op.stream);
  op.done = true;
}

void finish_send(MockOp& op) {
  if (!op.moved) return;
  TW_CUDA(cudaStreamWaitEvent(op.stream, op.moved.get(), 0));  // its memory may change afterwards
  op.done = true;
}

// On the host: everything before is done, and nothing comes after until all have been told.
void add_up(std::vector<MockOpPtr>& parts) {
  std::sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a->comm->rank < b->comm->rank; });
  std::vector<float> sum(parts.front()->bytes / sizeof(float)), addend(sum.size());
  for (const MockOpPtr& part : parts) {
    if (part->bytes != parts.front()->bytes)
      return mismatch(*part->comm, *parts.front()->comm,
                      detail::concat("rank ", part->comm->rank, " all-reduces ", part->bytes, " bytes and rank ",
                                     parts.front()->comm->rank, " ", parts.front()->bytes));
    TW_CUDA(cudaEventSynchronize(part->ready.get()));
    TW_CUDA(cudaMemcpy(addend.data(), part->data, part->bytes, cudaMemcpyDeviceToHost));
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = part == parts.front() ? addend[i] : sum[i] + addend[i];
  }
  for (const MockOpPtr& part : parts) {
    TW_CUDA(cudaMemcpy(part->data, sum.data(), part->bytes, cudaMemcpyHostToDevice));
    part->done = true;
  }
}

}  // namespace

MockState& mock_state() {
  static MockState state;
  return state;
}

void blame(std::string text) { mock_state().violations.push_back(std::move(text)); }

void MockWorld::forget(const ncclComm* comm) {
  std::erase_if(sends, [&](const auto& entry) { return entry.second->comm == comm; });
  for (auto& entry : sums) std::erase_if(entry.second, [&](const auto& part) { return part->comm == comm; });
}

void begin(ncclComm& comm, std::vector<MockOpPtr> ops) {
  MockWorld& world = *comm.world;
  for (const MockOpPtr& op : ops) {
    op->ready = record(op->stream);
    op->sums_before = comm.sums;
    if (op->kind == MockOp::Kind::sum) {
      op->order = comm.sums++;
      world.sums[op->order].push_back(op);
    } else {
      const bool sends = op->kind == MockOp::Kind::send;
      op->order = sends ? comm.sent[op->peer]++ : comm.received[op->peer]++;
      if (sends) world.sends[{{comm.rank, op->peer}, op->order}] = op;
    }
    comm.pending.push_back(op);
  }
}

bool advance(ncclComm& comm) {
  for (const MockOpPtr& op : comm.pending) {
    if (op->done) continue;
    if (op->kind == MockOp::Kind::receive) receive(*op);
    if (op->kind == MockOp::Kind::send) finish_send(*op);
    if (op->kind == MockOp::Kind::sum && comm.world->sums[op->order].size() == comm.world->ranks)
      add_up(comm.world->sums[op->order]);
  }
  std::erase_if(comm.pending, [](const MockOpPtr& op) { return op->done; });
  return comm.pending.empty();
}

}  // namespace tw::test
