// Short hand for tests that speak to transports: patterned messages, single sends and receives, waiting.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "collectives/transport.hpp"
#ifdef TW_TEST_DEVICE_MESSAGES
#include "tests/support/device_messages.hpp"
#endif

namespace tw::test {

using Bytes = std::vector<std::byte>;

/// Bytes that differ with their place and with `seed`.
inline Bytes pattern(std::size_t count, std::uint32_t seed) {
  Bytes bytes(count);
  std::uint32_t word = seed * 2654435761u + 1;
  for (std::size_t i = 0; i < count; i += sizeof word) {
    word = word * 1664525u + 1013904223u;
    std::memcpy(bytes.data() + i, &word, std::min(sizeof word, count - i));
  }
  return bytes;
}

/// Sends and receives of one rank, one op a request. In programs built with TW_TEST_DEVICE_MESSAGES they lie in memory
/// of a device where the transport takes them there.
class Speaker {
 public:
#ifdef TW_TEST_DEVICE_MESSAGES
  explicit Speaker(Transport& transport) : transport_(transport) {
    if (DeviceMessages::suit(transport)) messages_.emplace();
  }
#else
  explicit Speaker(Transport& transport) : transport_(transport) {}
#endif

  Request send(std::uint32_t peer, std::uint64_t tag, Bytes& bytes) {
    return place_and_post({Op::Kind::send, peer, Tag{tag}, bytes});
  }
  Request receive(std::uint32_t peer, std::uint64_t tag, Bytes& room) {
    return place_and_post({Op::Kind::receive, peer, Tag{tag}, room});
  }
  Request post(const Op& op) { return transport_.post(exec_, {&op, 1}); }
  Request post(std::span<const Op> ops) { return transport_.post(exec_, ops); }

  /// Makes progress until `request` is done.
  void finish(const Request& request) {
    const Deadline deadline = Deadline::in(60);
    while (!request.done()) {
      if (deadline.passed()) throw std::runtime_error("a request was not done within a minute");
      transport_.progress(deadline);
    }
  }
  void finish(const std::vector<Request>& requests) {
    for (const Request& request : requests) finish(request);
  }
  /// Makes progress until the transport fails, as the test expects.
  void run_until_failure() {
    const Deadline deadline = Deadline::in(60);
    while (!deadline.passed()) transport_.progress(deadline);
    throw std::runtime_error("the transport did not fail within a minute");
  }
  /// A word without content, to tell `peer` that this rank is so far; and waiting for it.
  void tell(std::uint32_t peer, std::uint64_t tag) {
    Bytes none;
    finish(send(peer, tag, none));
  }
  void hear(std::uint32_t peer, std::uint64_t tag) {
    Bytes none;
    finish(receive(peer, tag, none));
  }

 private:
  Request place_and_post(const Op& op) {
#ifdef TW_TEST_DEVICE_MESSAGES
    if (messages_) return messages_->post(transport_, op);
#endif
    return post(op);
  }

  Transport& transport_;
  Exec exec_;
#ifdef TW_TEST_DEVICE_MESSAGES
  std::optional<DeviceMessages> messages_;
#endif
};

}  // namespace tw::test
