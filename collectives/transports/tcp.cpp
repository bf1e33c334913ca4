// A rank that ends its connection with a goodbye left in good order, one without crashed; either is an error only for
// whoever waits for its messages or has some for it. Heartbeats flow on idle links while `progress` is called or
// sleeps.
//
// A rank that runs ahead is not read from while enough of its messages wait for receives and no receive waits for it.
// What its system and this one do not take then waits there, until this rank has caught up.
#include "collectives/transports/tcp.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "collectives/failure.hpp"
#include "collectives/transport.hpp"
#include "collectives/transports/liveness.hpp"
#include "collectives/transports/tcp_connect.hpp"
#include "compress/params_visitors.hpp"
#include "kernels/base/check.hpp"

namespace tw {
namespace {

using Clock = Deadline::Clock;

constexpr std::size_t kMostKept = 16;          // times what is enough: what a receive waits for may come behind it
constexpr double kPatienceSeconds = 0.5;       // with somebody who neither takes nor says anything, when leaving
constexpr double kCloseSeconds = 5.0;          // for everybody to take everything
constexpr double kAcknowledgeSeconds = 0.002;  // between two looks at what was taken

struct TcpParams {
  std::uint64_t heartbeat_ms = 200;
  std::uint64_t silence_ms = 1000;
  std::uint64_t keep_mib = 256;

  static void declare(void* params, ParamVisitor& visitor) {
    auto& p = *static_cast<TcpParams*>(params);
    visitor.integer("heartbeat_ms", p.heartbeat_ms, {10, 60'000}, "between signs of life on an idle link");
    visitor.integer("silence_ms", p.silence_ms, {50, 600'000}, "without a sign of life make a rank a suspect");
    visitor.integer("keep_mib", p.keep_mib, {1, 1 << 16},
                    "of messages nobody waits for; a rank that sent more is not read from");
  }
  LivenessSettings liveness() const {
    return {std::chrono::milliseconds(heartbeat_ms), std::chrono::milliseconds(silence_ms)};
  }
};

class Tcp final : public Transport {
 public:
  Tcp(std::uint32_t rank, std::vector<std::unique_ptr<TcpLink>> links, const TcpParams& params);
  ~Tcp() override;

  std::string_view name() const override { return "tcp"; }
  std::uint32_t rank() const override { return rank_; }
  std::uint32_t ranks() const override { return static_cast<std::uint32_t>(links_.size()); }
  Caps caps() const override { return {}; }
  Request post(const Exec& exec, std::span<const Op> ops) override;
  void progress(Deadline until) override;
  void wake() override;
  std::optional<std::uint32_t> silent_peer() const override { return liveness_.silent(); }
  void abort(std::uint32_t culprit, std::string_view reason) noexcept override;

 private:
  void post_receive(const Op& op, const std::shared_ptr<PendingGroup>& group, std::size_t index);
  void post_send(const Op& op, const std::shared_ptr<PendingGroup>& group, std::size_t index);
  void send_to_itself(const Op& op);
  bool poll(Deadline until);
  void handle(std::uint32_t peer, std::uint32_t events);
  void read_from(std::uint32_t peer);
  void write_to(std::uint32_t peer);
  bool runs_ahead(std::uint32_t peer);
  void watch(std::uint32_t peer);
  void beat(Clock::time_point now);
  void throw_if_gone();
  void flush(Deadline deadline, std::optional<std::uint32_t> except);
  void linger(Deadline deadline);

  template <class Call>
  void for_each_open(const Call& call) {
    for (std::uint32_t peer = 0; peer < ranks(); ++peer)
      if (links_[peer] != nullptr && links_[peer]->end() == TcpLink::End::open) call(peer, *links_[peer]);
  }

  const std::uint32_t rank_;
  std::vector<std::unique_ptr<TcpLink>> links_;  // by rank; null for oneself
  std::vector<std::uint32_t> watched_;           // events, by rank
  Descriptor epoll_, wake_;
  const std::size_t enough_kept_;
  Matcher matcher_;
  Liveness liveness_;
  bool completed_ = false;  // something, since progress returned
  bool aborted_ = false;
  std::optional<Failure> failure_;  // thrown again by every call
};

Tcp::Tcp(std::uint32_t rank, std::vector<std::unique_ptr<TcpLink>> links, const TcpParams& params)
    : rank_(rank),
      links_(std::move(links)),
      watched_(links_.size(), EPOLLIN),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      enough_kept_(params.keep_mib << 20),
      matcher_(ranks(), kMostKept * enough_kept_),
      liveness_(rank, ranks(), Clock::now(), params.liveness()) {
  if (!epoll_.open() || !wake_.open()) fail_system("cannot create an epoll instance", errno);
  const auto add = [&](const Descriptor& fd, std::uint32_t id) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = id;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) != 0) fail_system("cannot watch a socket", errno);
  };
  add(wake_, ranks());
  for_each_open([&](std::uint32_t peer, const TcpLink& link) { add(link.socket(), peer); });
}

Request Tcp::post(const Exec&, std::span<const Op> ops) {
  if (failure_) failure_->raise();
  auto group = std::make_shared<PendingGroup>(ops.size());
  try {
    for (std::size_t i = 0; i < ops.size(); ++i)
      if (ops[i].kind == Op::Kind::receive)
        post_receive(ops[i], group, i);
      else
        post_send(ops[i], group, i);
  } catch (const UsageError&) {
    throw;
  } catch (...) {
    failure_ = Failure::current();
    throw;
  }
  completed_ |= group->done();
  return Request(std::move(group));
}

void Tcp::post_receive(const Op& op, const std::shared_ptr<PendingGroup>& group, std::size_t index) {
  matcher_.post(op, group, index);
  if (op.peer != rank_) watch(op.peer);
}

void Tcp::post_send(const Op& op, const std::shared_ptr<PendingGroup>& group, std::size_t index) {
  TW_CHECK(op.bytes.size() <= kMaxTcpMessageBytes, UsageError, "a message of ", op.bytes.size(), " bytes; at most ",
           kMaxTcpMessageBytes);
  if (op.peer == rank_) {
    send_to_itself(op);
    group->complete(index, 0);
    completed_ = true;
    return;
  }
  links_[op.peer]->send(op.tag, op.bytes, group, index);
  write_to(op.peer);
}

void Tcp::send_to_itself(const Op& op) {
  const auto inbound = matcher_.begin(rank_, op.tag, op.bytes.size());
  if (!op.bytes.empty()) std::memcpy(inbound->target().data(), op.bytes.data(), op.bytes.size());
  matcher_.finish(*inbound);
}

void Tcp::progress(Deadline until) {
  if (failure_) failure_->raise();
  try {
    for (bool over = false; !over;) {
      throw_if_gone();
      const bool woken = poll(completed_ ? Deadline(Clock::time_point::min()) : until);
      over = std::exchange(completed_, false) || woken || until.passed();
    }
  } catch (...) {
    failure_ = Failure::current();
    throw;
  }
}

// Sleeps until something happens on a link, or `until`, or a heartbeat is due, and deals with it. True if woken.
bool Tcp::poll(Deadline until) {
  constexpr std::int64_t kLongest = 60'000;
  const auto sleep = std::min(until.at(), liveness_.next_due());
  const auto now = Clock::now();
  const std::int64_t left = sleep <= now ? 0 : std::chrono::ceil<std::chrono::milliseconds>(sleep - now).count();
  std::array<epoll_event, 64> events;
  const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                               static_cast<int>(std::min(left, kLongest)));
  if (count < 0 && errno != EINTR) fail_system("cannot wait for messages", errno);
  bool woken = false;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.u32 == ranks()) {
      std::uint64_t times = 0;
      woken = ::read(wake_.get(), &times, sizeof times) == sizeof times || woken;
    } else {
      handle(event.data.u32, event.events);
    }
  }
  beat(Clock::now());
  return woken;
}

void Tcp::handle(std::uint32_t peer, std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) write_to(peer);
  if ((events & ~std::uint32_t{EPOLLOUT}) != 0) read_from(peer);
}

void Tcp::read_from(std::uint32_t peer) {
  TcpLink& link = *links_[peer];
  const TcpLink::Moved moved = link.read(matcher_);
  if (moved.bytes > 0) liveness_.heard(peer, Clock::now());
  completed_ |= moved.completed > 0;
  if (link.end() == TcpLink::End::left) liveness_.ignore(peer);
  if (link.end() == TcpLink::End::lost) liveness_.lost(peer);
  watch(peer);
}

void Tcp::write_to(std::uint32_t peer) {
  const TcpLink::Moved moved = links_[peer]->write();
  if (moved.bytes > 0) liveness_.sent(peer, Clock::now());
  completed_ |= moved.completed > 0;
  watch(peer);
}

bool Tcp::runs_ahead(std::uint32_t peer) {
  return matcher_.kept_bytes(peer) >= enough_kept_ && !matcher_.waits_for(peer) && !links_[peer]->awaited();
}

// Asks to be told of room for writing exactly while something waits for it, and of bytes unless there are enough.
void Tcp::watch(std::uint32_t peer) {
  const TcpLink& link = *links_[peer];
  if (link.end() != TcpLink::End::open) return;
  epoll_event event{};
  if (!runs_ahead(peer)) event.events |= EPOLLIN;
  if (link.wants_to_write()) event.events |= EPOLLOUT;
  if (event.events == watched_[peer]) return;
  event.data.u32 = peer;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, link.socket().get(), &event) != 0)
    fail_system("cannot watch a socket", errno);
  watched_[peer] = event.events;
}

void Tcp::beat(Clock::time_point now) {
  liveness_.looked(now);
  for_each_open([&](std::uint32_t peer, TcpLink& link) {
    if ((watched_[peer] & EPOLLIN) == 0) liveness_.heard(peer, now);  // its signs of life are not read
    if (!liveness_.due(peer, now)) return;
    liveness_.sent(peer, now);  // also where a full link carries signs of life anyway, or takes none
    if (link.busy()) return;
    link.send_control(TcpKind::heartbeat, 0, {});
    write_to(peer);
  });
}

// Names a rank that has ended its connection with something between it and this rank unfinished.
void Tcp::throw_if_gone() {
  for (std::uint32_t peer = 0; peer < ranks(); ++peer) {
    if (peer == rank_ || links_[peer]->end() == TcpLink::End::open) continue;
    const TcpLink& link = *links_[peer];
    const bool awaited = link.cut_off() || matcher_.waits_for(peer);
    if (!awaited && !link.owes()) continue;
    const char* how = link.end() == TcpLink::End::left ? " closed its transport" : " is gone without a goodbye";
    throw PeerError(peer, detail::concat("rank ", peer, how, " (", link.reason(), ") while rank ", rank_,
                                         awaited ? " was waiting for a message of it" : " had a message for it"));
  }
}

void Tcp::wake() {
  const std::uint64_t once = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &once, sizeof once);  // fails only if woken already
}

void Tcp::abort(std::uint32_t culprit, std::string_view reason) noexcept {
  try {
    for_each_open([&](std::uint32_t, TcpLink& link) {
      link.drop_queue();
      link.send_control(TcpKind::abort, culprit, reason);
    });
    aborted_ = true;
    if (!failure_) failure_ = Failure(PeerError(culprit, detail::concat("rank ", rank_, " gave up: ", reason)));
    flush(Deadline::in(kPatienceSeconds), culprit);
  } catch (...) {  // out of memory: they find this rank gone instead
  }
}

// Writes what is queued, for all but ranks of which nothing is expected. What arrives meanwhile is thrown away; it is a
// sign of life.
void Tcp::flush(Deadline deadline, std::optional<std::uint32_t> except) {
  const auto silent = liveness_.silent();
  Deadline patience = Deadline::in(kPatienceSeconds);
  while (!deadline.passed() && !patience.passed()) {
    std::vector<Wanted> wanted;
    for_each_open([&](std::uint32_t peer, TcpLink& link) {
      const std::size_t written = link.write().bytes;
      const auto heard = link.drain();
      if (!heard || !link.wants_to_write() || peer == except || peer == silent) return;
      if (written + *heard > 0) patience = Deadline::in(kPatienceSeconds);
      wanted.push_back({&link.socket(), POLLIN | POLLOUT});
    });
    if (wanted.empty()) return;
    wait_any(wanted, std::min(deadline, patience));
  }
}

// Waits until the peers' systems have taken all that was written: to close a socket with unread data in it takes back
// what is under way.
void Tcp::linger(Deadline deadline) {
  Deadline patience = Deadline::in(kPatienceSeconds);
  std::size_t least = std::numeric_limits<std::size_t>::max();
  while (!deadline.passed() && !patience.passed()) {
    std::size_t left = 0, heard = 0;
    std::vector<Wanted> wanted;
    for_each_open([&](std::uint32_t, TcpLink& link) {
      const auto bytes = link.drain();
      if (!bytes || link.unacknowledged() == 0) return;
      heard += *bytes;
      left += link.unacknowledged();
      wanted.push_back({&link.socket(), POLLIN});
    });
    if (left == 0) return;
    if (left < least || heard > 0) patience = Deadline::in(kPatienceSeconds);
    least = std::min(left, least);
    wait_any(wanted, Deadline::in(kAcknowledgeSeconds));
  }
}

Tcp::~Tcp() {
  try {
    for_each_open([&](std::uint32_t, TcpLink& link) {
      link.drop_queue();
      if (failure_ && link.owes()) return link.stop_writing();  // whoever gave up may have freed it already
      if (!aborted_) link.send_control(TcpKind::goodbye, 0, {});
    });
    const Deadline deadline = Deadline::in(kCloseSeconds);
    flush(deadline, std::nullopt);
    for_each_open([](std::uint32_t, TcpLink& link) { link.shut_down(); });
    linger(deadline);
  } catch (...) {  // out of memory: the others find this rank gone without a goodbye
  }
}

}  // namespace

TransportPtr connect_tcp(Bootstrap& bootstrap, const SpecTerm& term, const ConnectOptions& options) {
  TcpParams params;
  read_params(term, &params, TcpParams::declare);
  return TransportPtr(new Tcp(bootstrap.rank(), connect_links(bootstrap, options), params));
}

}  // namespace tw
