// Sockets for tests that meet over the loopback interface.
#pragma once

#include <poll.h>

#include <cstdint>
#include <string_view>

#include "collectives/net/socket.hpp"

namespace tw::test {

inline Address loopback(std::uint16_t port = 0) { return *Address::parse("127.0.0.1", port); }

/// A port that nobody listens at, for those who must know it before they do.
inline std::uint16_t free_port() { return local_address(listen_at(loopback(), 1)).port(); }

/// A connection that has said `bytes`.
inline Descriptor stranger(const Address& address, std::string_view bytes) {
  Descriptor socket = begin_connect(address);
  Wanted writable{&socket, POLLOUT};
  wait_any({&writable, 1}, Deadline::in(10));
  write_some(socket, std::as_bytes(std::span(bytes)));
  return socket;
}

/// True once the other end has closed the connection; false if it has not by the deadline.
inline bool closed_by(const Descriptor& socket, Deadline deadline) {
  std::byte room[256];
  while (!deadline.passed()) {
    Wanted readable{&socket, POLLIN};
    if (wait_any({&readable, 1}, deadline) && !read_some(socket, room)) return true;
  }
  return false;
}

}  // namespace tw::test
