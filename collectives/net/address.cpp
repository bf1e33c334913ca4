// Addresses and the interfaces that have them.
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "collectives/net/socket.hpp"
#include "kernels/base/check.hpp"

namespace tw {
namespace {

socklen_t bytes_of_family(int family) {
  return family == AF_INET6 ? socklen_t{sizeof(sockaddr_in6)} : socklen_t{sizeof(sockaddr_in)};
}

std::optional<Address> look_up(const std::string& host, std::uint16_t port, int flags, int& error) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) return std::nullopt;
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next)
    if (entry->ai_family == AF_INET) return Address(entry->ai_addr, entry->ai_addrlen);
  return Address(found->ai_addr, found->ai_addrlen);
}

// Calls `visit(name, flags, address)` for every IP address of this host.
template <class Visit>
void visit_interfaces(const Visit& visit) {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) fail_system("cannot list the network interfaces", errno);
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, freeifaddrs);
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    const int family = entry->ifa_addr == nullptr ? AF_UNSPEC : entry->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    visit(std::string(entry->ifa_name), entry->ifa_flags, Address(entry->ifa_addr, bytes_of_family(family)));
  }
}

}  // namespace

Address::Address(const sockaddr* address, socklen_t bytes) : bytes_(bytes) { std::memcpy(&storage_, address, bytes); }

Address Address::resolve(const std::string& host, std::uint16_t port) {
  int error = 0;
  const auto found = look_up(host, port, 0, error);
  TW_CHECK(found.has_value(), UsageError, "no address for host '", host, "': ", gai_strerror(error));
  return *found;
}

std::optional<Address> Address::parse(const std::string& numeric_host, std::uint16_t port) {
  int error = 0;
  return look_up(numeric_host, port, AI_NUMERICHOST, error);
}

std::string Address::host() const {
  char text[NI_MAXHOST] = "";
  if (bytes_ == 0 || getnameinfo(raw(), bytes_, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) return "unknown";
  return text;
}

std::uint16_t Address::port() const {
  if (raw()->sa_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_port);
}

Address Address::with_port(std::uint16_t port) const {
  Address copy = *this;
  if (raw()->sa_family == AF_INET6)
    reinterpret_cast<sockaddr_in6*>(&copy.storage_)->sin6_port = htons(port);
  else
    reinterpret_cast<sockaddr_in*>(&copy.storage_)->sin_port = htons(port);
  return copy;
}

std::string Address::text() const {
  const std::string name = host();
  return (name.find(':') == std::string::npos ? name : "[" + name + "]") + ":" + std::to_string(port());
}

Address address_of_interface(const std::string& name) {
  std::optional<Address> found;
  std::string known;
  visit_interfaces([&](const std::string& interface, unsigned, const Address& address) {
    if (interface != name) {
      if (known.find(interface) == std::string::npos) known += (known.empty() ? "" : ", ") + interface;
    } else if (!found || address.raw()->sa_family == AF_INET) {
      if (!found || found->raw()->sa_family != AF_INET) found = address;
    }
  });
  TW_CHECK(found.has_value(), UsageError, "no network interface '", name, "' with an IP address; there are: ", known);
  return *found;
}

std::string interface_of(const Address& address) {
  std::string found;
  visit_interfaces([&](const std::string& interface, unsigned, const Address& candidate) {
    if (candidate.same_host(address)) found = interface;
  });
  return found;
}

Address outward_address() {
  // Connecting a datagram socket sends nothing: it only chooses a route. The address is one reserved for documentation.
  const Descriptor probe(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const Address elsewhere = *Address::parse("192.0.2.1", 9);
  if (probe.open() && connect(probe.get(), elsewhere.raw(), elsewhere.bytes()) == 0)
    return local_address(probe).with_port(0);
  std::optional<Address> found;
  visit_interfaces([&](const std::string&, unsigned flags, const Address& address) {
    if ((flags & IFF_UP) != 0 && (flags & IFF_LOOPBACK) == 0 && address.raw()->sa_family == AF_INET && !found)
      found = address;
  });
  return found ? *found : *Address::parse("127.0.0.1", 0);
}

}  // namespace tw
