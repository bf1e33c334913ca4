#include "tests/process_nccl/mesh.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <thread>

#include "kernels/base/check.hpp"

namespace tw::process_nccl {
namespace {

constexpr int kLookMilliseconds = 20;  // between looks for `abort`

struct LocalName {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  socklen_t bytes;

  // Of the abstract kind, which leaves no file.
  LocalName(const std::string& name, std::uint32_t rank) {
    const std::string text = name + "-" + std::to_string(rank);
    text.copy(address.sun_path + 1, sizeof address.sun_path - 1);
    bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  }
  const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&address); }
};

Descriptor local_socket() { return Descriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

void set_non_blocking(const Descriptor& link) { fcntl(link.get(), F_SETFL, fcntl(link.get(), F_GETFL) | O_NONBLOCK); }

// What is still to be moved over one link in one direction: each part behind its size.
class Line {
 public:
  void add(std::span<std::byte> bytes) { parts_.push_back({bytes.size(), bytes}); }
  bool idle() const { return parts_.empty(); }

  /// As much as goes at once. `move(room)` gives how many bytes it moved; `sized` is called once the size is there.
  template <class Move, class Sized>
  void advance(Move move, Sized sized) {
    while (!parts_.empty()) {
      Sizeable& part = parts_.front();
      const auto head = std::as_writable_bytes(std::span(&part.size, 1));
      const auto rest = done_ < head.size() ? head.subspan(done_) : part.bytes.subspan(done_ - head.size());
      const std::size_t moved = rest.empty() ? 0 : move(rest);
      done_ += moved;
      if (moved != 0 && done_ == head.size()) sized(part.size, part.bytes.size());
      if (done_ == head.size() + part.bytes.size())
        parts_.pop_front(), done_ = 0;
      else if (moved == 0)
        return;
    }
  }

 private:
  struct Sizeable {
    std::uint64_t size;
    std::span<std::byte> bytes;
  };
  std::deque<Sizeable> parts_;
  std::size_t done_ = 0;
};

std::size_t moved_or_throw(std::optional<std::size_t> moved, std::uint32_t peer) {
  if (!moved) throw Failure(detail::concat("rank ", peer, " has left"));
  return *moved;
}

}  // namespace

void Mesh::check_going_on(const std::string& what) const {
  if (aborted_) throw Failure(what + " was aborted");
}

// Whoever is to be reached may not listen yet.
Descriptor Mesh::reach(std::uint32_t peer) const {
  const LocalName name(name_, peer);
  for (;; std::this_thread::sleep_for(std::chrono::milliseconds(kLookMilliseconds))) {
    check_going_on("connecting");
    Descriptor link = local_socket();
    if (::connect(link.get(), name.raw(), name.bytes) == 0) return link;
    if (errno != ECONNREFUSED) throw Failure(detail::concat("connecting to rank ", peer, ": ", std::strerror(errno)));
  }
}

void Mesh::connect() {
  const LocalName name(name_, rank_);
  const Descriptor listener = local_socket();
  if (bind(listener.get(), name.raw(), name.bytes) != 0 || listen(listener.get(), 128) != 0)
    throw Failure(detail::concat("listening: ", std::strerror(errno)));
  links_.resize(ranks_);
  for (std::uint32_t peer = 0; peer < rank_; ++peer) {
    links_[peer] = reach(peer);
    if (write(links_[peer].get(), &rank_, sizeof rank_) != sizeof rank_) throw Failure("greeting failed");
  }
  for (std::uint32_t greeted = rank_ + 1; greeted < ranks_;) {
    pollfd waits{listener.get(), POLLIN, 0};
    check_going_on("connecting");
    if (poll(&waits, 1, kLookMilliseconds) <= 0) continue;
    Descriptor link(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::uint32_t peer = 0;
    if (read(link.get(), &peer, sizeof peer) != sizeof peer || peer >= ranks_) throw Failure("a greeting was cut");
    links_[peer] = std::move(link);
    ++greeted;
  }
  for (const Descriptor& link : links_)
    if (link.open()) set_non_blocking(link);
}

void Mesh::exchange(std::span<const Part> sends, std::span<const Part> receives) {
  std::vector<Line> out(ranks_), in(ranks_);
  for (const Part& part : sends) out[part.peer].add(part.bytes);
  for (const Part& part : receives) in[part.peer].add(part.bytes);
  for (;;) {
    std::vector<Wanted> waits;
    for (std::uint32_t peer = 0; peer < ranks_; ++peer) {
      out[peer].advance([&](auto bytes) { return moved_or_throw(write_some(links_[peer], bytes), peer); },
                        [](std::uint64_t, std::size_t) {});
      in[peer].advance([&](auto room) { return moved_or_throw(read_some(links_[peer], room), peer); },
                       [&](std::uint64_t sent, std::size_t room) {
                         if (sent != room)
                           throw Failure(detail::concat("rank ", peer, " sends ", sent, " bytes where rank ", rank_,
                                                        " receives ", room));
                       });
      const int events = (out[peer].idle() ? 0 : POLLOUT) | (in[peer].idle() ? 0 : POLLIN);
      if (events != 0) waits.push_back({&links_[peer], static_cast<short>(events)});
    }
    if (waits.empty()) return;
    check_going_on("an exchange");
    wait_any(waits, Deadline::in(kLookMilliseconds / 1000.0));
  }
}

}  // namespace tw::process_nccl
