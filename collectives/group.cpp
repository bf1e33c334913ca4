#include "collectives/group.hpp"

namespace tw {
namespace {

bool moves_device_memory(const Caps& caps) { return caps.device_memory && caps.device_tags && !caps.stream_ordered; }

}  // namespace

Group::Group(Transport& moves, const Exec& place)
    : transport(moves),
      buffers(memory_of(place.backend == Backend::cuda ? Residence::pinned : Residence::host)),
      moves_device_memory_(moves_device_memory(moves.caps())),
      status_(allocate_block(memory_of(place.backend == Backend::cuda ? Residence::pinned : Residence::host),
                             2 * sizeof(std::uint32_t))) {
  status(Hop::worker) = status(Hop::owner) = 0;
  exec = {.backend = place.backend, .workers = place.workers, .arena = &arena};
  if (place.backend == Backend::cuda) {
    device = std::make_unique<DeviceSide>(place.device, [this] { transport.wake(); });
    exec = device->exec;
    exec.workers = place.workers;
    // Messages may keep the device waiting for others.
    if (transport.caps().stream_ordered) cuda::load_kernels(exec);
  }
  state = State(exec);
}

void Group::retire(Buffer buffer) {
  if (!codes_on_device()) return;
  const Mark upcoming = device->timeline.upcoming();
  retired_.emplace_back(upcoming, std::move(buffer));
  const std::size_t kept = retired_.size();
  if (kept >= kRetiredUnmarked && retired_[kept - kRetiredUnmarked].first == upcoming) mark();
}

bool Group::given_back(Mark mark) {
  if (!reached(mark)) return false;
  while (!retired_.empty() && reached(retired_.front().first)) retired_.pop_front();
  return true;
}

Request Group::send(std::uint32_t peer, Tag tag, std::span<std::byte> bytes, Space space) {
  counters.sent_bytes.fetch_add(bytes.size(), std::memory_order_relaxed);
  counters.sent_messages.fetch_add(1, std::memory_order_relaxed);
  const Op op{Op::Kind::send, peer, tag, bytes, space};
  return transport.post(exec, {&op, 1});
}

// A stream of their own, so that encoding one bucket goes on while another is on the wire.
Exec Group::moving_exec() {
  device->messages_after.record(exec);
  Exec moving = exec;
  moving.stream = device->moving.get();
  device->messages_after.precede(moving);
  return moving;
}

Request Group::post_on_device(std::span<const Op> ops) {
  for (const Op& op : ops) {
    if (op.kind != Op::Kind::send) continue;
    counters.sent_bytes.fetch_add(op.bytes.size(), std::memory_order_relaxed);
    counters.sent_messages.fetch_add(1, std::memory_order_relaxed);
  }
  return transport.post(moving_exec(), ops);
}

Request Group::sum_on_device(std::span<float> payload) {
  counters.sent_bytes.fetch_add(payload.size_bytes(), std::memory_order_relaxed);
  counters.sent_messages.fetch_add(1, std::memory_order_relaxed);
  return transport.all_reduce_sum(moving_exec(), payload);
}

Request Group::receive(std::uint32_t peer, Tag tag, std::span<std::byte> bytes, Space space) {
  const Op op{Op::Kind::receive, peer, tag, bytes, space};
  return transport.post(exec, {&op, 1});
}

Message receive_message(Group& group, std::uint32_t peer, Tag tag, std::size_t bytes) {
  Message message{group.frame_buffer(bytes), {}};
  message.request = group.receive(peer, tag, message.buffer.bytes());
  return message;
}

Message receive_frame(Group& group, std::uint32_t peer, Tag tag, std::size_t bytes) {
  Message message{group.frame_room(bytes), {}};
  message.request = group.receive(peer, tag, message.buffer.bytes(), group.frame_space());
  return message;
}

}  // namespace tw
