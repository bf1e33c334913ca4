// Which ranks share a host: those that can share memory and watch each other's process. Network namespaces of one
// machine share memory too, but are hosts of their own: what passes between them is meant to take the network.
#pragma once

#include <array>
#include <cstdint>

namespace tw::ucx {

/// Equal on two ranks where they share a host. Trivially copyable: it travels.
struct HostIdentity {
  std::array<char, 40> boot_id{};  ///< of the running kernel
  std::uint64_t network_namespace = 0;
  std::uint64_t ipc_namespace = 0;
  std::uint64_t pid_namespace = 0;  ///< a process can be watched from inside the same one only

  friend bool operator==(const HostIdentity&, const HostIdentity&) = default;
};

/// The calling process's host. Throws SystemError where /proc does not tell.
HostIdentity this_host();

/// Whether a process of this host was stopped, by SIGSTOP or a debugger. False where /proc does not tell.
bool is_stopped(std::int64_t process);

}  // namespace tw::ucx
