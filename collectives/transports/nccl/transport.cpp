#include "collectives/transports/nccl/transport.hpp"

#include <algorithm>
#include <utility>

#include "kernels/base/check.hpp"

namespace tw::nccl {
namespace {

bool on_device(const Op& op) { return op.space == Space::device; }

}  // namespace

// A transport that has failed says so again; one that was misused goes on.
template <class Call>
auto NcclTransport::guarded(const Call& call) {
  if (failure_) failure_->raise();
  try {
    return call();
  } catch (const UsageError&) {
    throw;
  } catch (...) {
    if (!failure_) fail();  // a call inside of this one was first to see it
    failure_->raise();
  }
}

NcclTransport::NcclTransport(TransportPtr control, const Api& api, Place place)
    : control_(std::move(control)),
      place_(place),
      comm_(api),
      watch_(*control_),
      flights_(*control_, place.device, [this](const cuda::Event& event) { return has_landed(event); }) {
  for (std::uint32_t peer = 0; peer < ranks(); ++peer) {
    everyone_.push_back(peer);
    if (peer != rank()) others_.push_back(peer);
  }
}

// What NCCL gave up is done too.
bool NcclTransport::has_landed(const cuda::Event& event) {
  return guarded([&] {
    if (!event.reached()) return false;
    comm_.settled();
    return true;
  });
}

Caps NcclTransport::caps() const {
  Caps caps = control_->caps();
  caps.stream_ordered = caps.device_memory = caps.device_sums = true;
  caps.device_tags = caps.device_sizes = false;  // whatever the control has
  return caps;
}

Request NcclTransport::post(const Exec& exec, std::span<const Op> ops) {
  return guarded([&] {
    const auto device_ops = std::count_if(ops.begin(), ops.end(), on_device);
    if (device_ops == 0) return control_->post(exec, ops);
    TW_CHECK(static_cast<std::size_t>(device_ops) == ops.size(), UsageError, "a group of ", device_ops,
             " messages in device memory and ", ops.size() - static_cast<std::size_t>(device_ops),
             " in host memory; post them apart");
    check_group(exec, ops);
    auto flight = take_flight(ops);
    enqueue(exec, ops);
    return begin(exec, std::move(flight));
  });
}

Request NcclTransport::all_reduce_sum(const Exec& exec, std::span<float> values) {
  return guarded([&] {
    check_turn(exec);
    for (const std::uint32_t peer : others_) check_present(peer);
    auto flight = flights_.take();
    if (!values.empty()) {
      flight->peers = everyone_;  // of a single rank, too, NCCL has to be through with it
      GroupCall group(comm_.api());
      TW_NCCL(comm_.api(), all_reduce(values.data(), values.data(), values.size(), ncclFloat32, ncclSum, comm_.get(),
                                      static_cast<cudaStream_t>(exec.stream)));
      group.end();
    }
    return begin(exec, std::move(flight));
  });
}

void NcclTransport::check_turn(const Exec& exec) const {
  TW_CHECK(exec.device == place_.device, UsageError, "work on device ", exec.device,
           ", but transport 'nccl' was made for ", "device ", place_.device, " (nccl:device=", exec.device,
           " makes it for the other)");
  TW_CHECK(flights_.starting() == nullptr, UsageError,
           "a group in device memory is still starting: nothing else may be posted ",
           "there before progress has started it (Request::started)");
}

void NcclTransport::check_present(std::uint32_t peer) const {
  if (watch_.has_left(peer))
    throw PeerError(peer, detail::concat("rank ", peer, " closed its transport; rank ", rank(),
                                         " had a group in device memory for it"));
}

void NcclTransport::check_group(const Exec& exec, std::span<const Op> ops) const {
  check_turn(exec);
  for (const Op& op : ops) {
    TW_CHECK(op.peer < ranks(), UsageError, "a message for rank ", op.peer, "; ranks are 0 to ", ranks() - 1);
    check_present(op.peer);
  }
  check_own_messages(ops);
}

void NcclTransport::check_own_messages(std::span<const Op> ops) const {
  const auto own = [&](Op::Kind kind, std::size_t from) {
    while (from < ops.size() && (ops[from].peer != rank() || ops[from].kind != kind)) ++from;
    return from;
  };
  std::size_t send = own(Op::Kind::send, 0), receive = own(Op::Kind::receive, 0);
  while (send < ops.size() && receive < ops.size() && ops[send].bytes.size() == ops[receive].bytes.size()) {
    send = own(Op::Kind::send, send + 1);
    receive = own(Op::Kind::receive, receive + 1);
  }
  TW_CHECK(send == ops.size() && receive == ops.size(), UsageError, "rank ", rank(),
           " has messages for itself in a group in device memory: it must hold as many receives, of the same sizes");
}

std::shared_ptr<Flight> NcclTransport::take_flight(std::span<const Op> ops) {
  auto flight = flights_.take();
  for (const Op& op : ops) {
    flight->bytes.push_back(op.kind == Op::Kind::receive ? op.bytes.size() : 0);
    if (!op.bytes.empty()) flight->peers.push_back(op.peer);
  }
  return flight;
}

void NcclTransport::enqueue(const Exec& exec, std::span<const Op> ops) {
  const Api& api = comm_.api();
  const auto stream = static_cast<cudaStream_t>(exec.stream);
  GroupCall group(api);
  for (const Op& op : ops) {
    if (op.bytes.empty()) continue;
    const int peer = static_cast<int>(op.peer);
    if (op.kind == Op::Kind::send)
      TW_NCCL(api, send(op.bytes.data(), op.bytes.size(), ncclInt8, peer, comm_.get(), stream));
    else
      TW_NCCL(api, recv(op.bytes.data(), op.bytes.size(), ncclInt8, peer, comm_.get(), stream));
  }
  group.end();
}

void NcclTransport::progress(Deadline until) {
  guarded([&] {
    due_ |= start();
    due_ |= flights_.look();
    if (!flights_.any()) {
      watch_.relax();
    } else if (!due_ && !until.passed()) {
      until = sleep_with_flights(until);
    }
    control_->progress(std::exchange(due_, false) ? Deadline::in(0) : until);
  });
}

}  // namespace tw::nccl
