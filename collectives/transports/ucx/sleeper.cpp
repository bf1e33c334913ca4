#include "collectives/transports/ucx/sleeper.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "kernels/base/check.hpp"

namespace tw::ucx {
namespace {

// What an epoll event is about: below these, the peer whose process ended.
constexpr std::uint64_t kWake = ~std::uint64_t{0}, kReadable = kWake - 1;

int milliseconds_until(Deadline until) {
  constexpr double kLongest = 1e6;
  return static_cast<int>(std::min(until.left() * 1000, kLongest)) + (until.passed() ? 0 : 1);
}

}  // namespace

Sleeper::Sleeper() : epoll_(epoll_create1(EPOLL_CLOEXEC)), wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  TW_CHECK(epoll_ && wake_, SystemError, "epoll_create1, eventfd: ", std::strerror(errno));
  add(wake_.get(), kWake);
}

void Sleeper::add(int fd, std::uint64_t meaning) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = meaning;
  TW_CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0, SystemError, "epoll_ctl: ", std::strerror(errno));
}

void Sleeper::watch(int fd) { add(fd, kReadable); }

void Sleeper::watch_process(std::uint32_t peer, std::int64_t pid) {
  FileDescriptor process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!process && errno == ESRCH)
    throw PeerError(peer, detail::concat("the process ", pid, " of rank ", peer, " has ended already"));
  TW_CHECK(process, SystemError, "pidfd_open of rank ", peer, "'s process ", pid, ": ", std::strerror(errno));
  add(process.get(), peer);
  if (processes_.size() <= peer) processes_.resize(peer + 1);
  processes_[peer] = std::move(process);
}

void Sleeper::wake() {
  woken_.store(true, std::memory_order_release);
  const std::uint64_t one = 1;
  // It can only fail where it is full, and then it is readable anyway.
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof one);
}

void Sleeper::sleep(Deadline until) {
  std::array<epoll_event, 16> events;
  const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), milliseconds_until(until));
  for (int i = 0; i < count; ++i) {
    const std::uint64_t meaning = events[static_cast<std::size_t>(i)].data.u64;
    if (meaning == kReadable) continue;
    if (meaning == kWake) {
      std::uint64_t calls = 0;
      [[maybe_unused]] const ssize_t got = read(wake_.get(), &calls, sizeof calls);
      continue;
    }
    processes_[meaning].reset();  // closing it ends the watch
    ended_.push_back(static_cast<std::uint32_t>(meaning));
  }
}

std::vector<std::uint32_t> Sleeper::ended() { return std::exchange(ended_, {}); }

}  // namespace tw::ucx
