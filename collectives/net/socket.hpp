// TCP sockets and addresses: the thin layer over the system's calls that the rendezvous and the transports share. What
// the system refuses becomes a SystemError with its words.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tightwire/deadline.hpp>

namespace tw {

/// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { close(); }

  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }
  void close();

 private:
  int fd_ = -1;
};

/// Throws SystemError: `what` and the words for `error` (an errno).
[[noreturn]] void fail_system(const std::string& what, int error);

/// An IPv4 or IPv6 address with a port.
class Address {
 public:
  Address() = default;
  Address(const sockaddr* address, socklen_t bytes);
  /// A host's address by name or number. Throws UsageError where there is none.
  static Address resolve(const std::string& host, std::uint16_t port);
  /// From numbers only; nothing is looked up.
  static std::optional<Address> parse(const std::string& numeric_host, std::uint16_t port);

  std::string host() const;  ///< in numbers
  std::uint16_t port() const;
  Address with_port(std::uint16_t port) const;
  std::string text() const;  ///< host:port
  bool same_host(const Address& other) const { return host() == other.host(); }

  const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t bytes() const { return bytes_; }

 private:
  sockaddr_storage storage_{};
  socklen_t bytes_ = 0;
};

Address local_address(const Descriptor& socket);
Address peer_address(const Descriptor& socket);

/// The address (port 0) of a network interface, IPv4 where it has one. Throws UsageError that lists the interfaces.
Address address_of_interface(const std::string& name);
/// The interface that has this address; empty if none has.
std::string interface_of(const Address& address);
/// The address that packets to other hosts leave from: of the default route, else of any interface that is up, else
/// the loopback.
Address outward_address();

/// A listening, non-blocking socket. Port 0 lets the system choose.
Descriptor listen_at(const Address& address, int backlog);
/// The next connection, non-blocking; not open if there is none.
Descriptor accept_from(const Descriptor& listener);
/// Begins to connect, non-blocking: once writable, `connect_error` tells how it went.
Descriptor begin_connect(const Address& address);
int connect_error(const Descriptor& socket);
/// Small messages leave at once.
void set_no_delay(const Descriptor& socket);
/// The system takes no more while it holds this much that has not left.
void limit_unsent(const Descriptor& socket, int bytes);

/// One of `entries` may have become ready. False at the deadline.
struct Wanted {
  const Descriptor* socket;
  short events;     ///< POLLIN, POLLOUT
  short ready = 0;  ///< filled in
};
bool wait_any(std::span<Wanted> entries, Deadline deadline);

/// Bytes that can be read or written now. 0: nothing can at the moment; empty: the connection has ended.
std::optional<std::size_t> read_some(const Descriptor& socket, std::span<std::byte> room);
std::optional<std::size_t> write_some(const Descriptor& socket, std::span<const std::byte> bytes);

}  // namespace tw
