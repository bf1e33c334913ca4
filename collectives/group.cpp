#include "collectives/group.hpp"

namespace tw {

Request Group::send(std::uint32_t peer, Tag tag, std::span<std::byte> bytes) {
  counters.sent_bytes.fetch_add(bytes.size(), std::memory_order_relaxed);
  counters.sent_messages.fetch_add(1, std::memory_order_relaxed);
  const Op op{Op::Kind::send, peer, tag, bytes};
  return transport.post(exec, {&op, 1});
}

Request Group::receive(std::uint32_t peer, Tag tag, std::span<std::byte> bytes) {
  const Op op{Op::Kind::receive, peer, tag, bytes};
  return transport.post(exec, {&op, 1});
}

Message receive_message(Group& group, std::uint32_t peer, Tag tag, std::size_t bytes) {
  Message message{group.frame_buffer(bytes), {}};
  message.request = group.receive(peer, tag, message.buffer.bytes());
  return message;
}

}  // namespace tw
