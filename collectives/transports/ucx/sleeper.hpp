// Where progress() sleeps: on the workers' event fds, on the processes of peers, and on a wake-up call.
#pragma once

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <vector>

#include <tightwire/deadline.hpp>

#include "kernels/base/handle.hpp"

namespace tw::ucx {

using FileDescriptor = UniqueHandle<int, close, -1>;

/// Used by one thread, but for wake().
class Sleeper {
 public:
  Sleeper();

  /// Sleeps no longer when `fd` is readable. It stays the caller's.
  void watch(int fd);
  /// Tells when the process `pid` of `peer` ends. Processes of other namespaces cannot be watched.
  void watch_process(std::uint32_t peer, std::int64_t pid);

  void wake();
  /// True if wake() was called since the last call.
  bool woken() { return woken_.exchange(false, std::memory_order_acq_rel); }
  /// Sleeps until a watched fd is readable, a watched process ends, wake() is called, or `until`.
  void sleep(Deadline until);
  /// Peers whose processes ended, as far as sleep() saw; each is told once.
  std::vector<std::uint32_t> ended();

 private:
  void add(int fd, std::uint64_t meaning);

  FileDescriptor epoll_, wake_;
  std::vector<FileDescriptor> processes_;  // by peer
  std::vector<std::uint32_t> ended_;
  std::atomic<bool> woken_ = false;
};

}  // namespace tw::ucx
