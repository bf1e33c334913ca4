#include "collectives/net/socket.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <system_error>

#include "kernels/base/check.hpp"

namespace tw {

void Descriptor::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void fail_system(const std::string& what, int error) {
  TW_FAIL(SystemError, what, ": ", std::system_category().message(error));
}

Address local_address(const Descriptor& socket) {
  sockaddr_storage storage{};
  socklen_t bytes = sizeof storage;
  if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&storage), &bytes) != 0)
    fail_system("cannot read a socket's address", errno);
  return {reinterpret_cast<const sockaddr*>(&storage), bytes};
}

Address peer_address(const Descriptor& socket) {
  sockaddr_storage storage{};
  socklen_t bytes = sizeof storage;
  if (getpeername(socket.get(), reinterpret_cast<sockaddr*>(&storage), &bytes) != 0) return {};
  return {reinterpret_cast<const sockaddr*>(&storage), bytes};
}

Descriptor listen_at(const Address& address, int backlog) {
  Descriptor socket(::socket(address.raw()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.open()) fail_system("cannot create a socket", errno);
  const int on = 1;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(socket.get(), address.raw(), address.bytes()) != 0 || listen(socket.get(), backlog) != 0)
    fail_system("cannot listen at " + address.text(), errno);
  return socket;
}

Descriptor accept_from(const Descriptor& listener) {
  return Descriptor(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

Descriptor begin_connect(const Address& address) {
  Descriptor socket(::socket(address.raw()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.open()) fail_system("cannot create a socket", errno);
  // What connect() refuses at once is told by connect_error() too: the socket is writable then, and in error.
  if (connect(socket.get(), address.raw(), address.bytes()) != 0 && errno != EINPROGRESS && errno != ECONNREFUSED)
    fail_system("cannot connect to " + address.text(), errno);
  return socket;
}

int connect_error(const Descriptor& socket) {
  int error = 0;
  socklen_t bytes = sizeof error;
  if (getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &bytes) != 0) return errno;
  if (error != 0) return error;
  return peer_address(socket).bytes() == 0 ? ECONNREFUSED : 0;
}

void set_no_delay(const Descriptor& socket) {
  const int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void limit_unsent(const Descriptor& socket, int bytes) {
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
}

bool wait_any(std::span<Wanted> entries, Deadline deadline) {
  std::vector<pollfd> polled;
  for (const Wanted& wanted : entries) polled.push_back({wanted.socket->get(), wanted.events, 0});
  const double left = std::min(deadline.left() * 1000, 1e6);
  const int ready = poll(polled.data(), polled.size(), static_cast<int>(std::ceil(left)));
  if (ready < 0 && errno != EINTR) fail_system("cannot wait for sockets", errno);
  for (std::size_t i = 0; i < entries.size(); ++i) entries[i].ready = ready > 0 ? polled[i].revents : short{0};
  return ready > 0;
}

std::optional<std::size_t> read_some(const Descriptor& socket, std::span<std::byte> room) {
  const ssize_t got = recv(socket.get(), room.data(), room.size(), 0);
  if (got > 0) return static_cast<std::size_t>(got);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return 0;
  return std::nullopt;
}

std::optional<std::size_t> write_some(const Descriptor& socket, std::span<const std::byte> bytes) {
  const ssize_t took = send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (took >= 0) return static_cast<std::size_t>(took);
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return 0;
  return std::nullopt;
}

}  // namespace tw
