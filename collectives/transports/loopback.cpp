// Every rank has a mailbox; its mutex guards all that others may touch. A sender leaves the address of its message
// there; the receiver's progress() copies what it has a receive for and tells the sender. What it has none for waits
// with the sender, but for small messages.
#include "collectives/transports/loopback.hpp"

#include <unistd.h>

#include <condition_variable>
#include <cstring>
#include <mutex>

#include "collectives/failure.hpp"
#include "collectives/transport.hpp"
#include "collectives/transports/matcher.hpp"
#include "compress/params_visitors.hpp"
#include "kernels/base/check.hpp"

namespace tw {
namespace {

constexpr std::size_t kKeptBytes = std::size_t{1} << 30;
constexpr std::size_t kEagerBytes = 8192;
constexpr std::size_t kBatchBytes = 1u << 19;  // copied at once: what came should be used while it is in the cache

struct Letter {
  std::uint32_t sender;
  Tag tag;
  std::span<const std::byte> bytes;  // of the sender, until the op is complete
  std::shared_ptr<PendingGroup> group;
  std::size_t op;
};

struct Mailbox {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Letter> letters;
  bool woken = false;
  bool closed = false;             // its rank left: letters are not read any more
  std::optional<Failure> failure;  // what another rank gave up with
  std::vector<bool> left;          // by rank: closed its transport
  std::vector<bool> lost;          // by rank: left without reading a letter of this one

  void wake() {
    const std::lock_guard lock(mutex);
    woken = true;
    changed.notify_all();
  }
};

struct Hub {
  explicit Hub(std::uint32_t ranks) : mailboxes(ranks) {
    for (Mailbox& mailbox : mailboxes) {
      mailbox.left.resize(ranks);
      mailbox.lost.resize(ranks);
    }
  }
  std::vector<Mailbox> mailboxes;
};

class Loopback final : public Transport {
 public:
  Loopback(std::shared_ptr<Hub> hub, std::uint32_t rank)
      : hub_(std::move(hub)),
        rank_(rank),
        own_(hub_->mailboxes[rank]),
        matcher_(ranks(), kKeptBytes),
        answered_(ranks()) {}
  ~Loopback() override;

  std::string_view name() const override { return "loopback"; }
  std::uint32_t rank() const override { return rank_; }
  std::uint32_t ranks() const override { return static_cast<std::uint32_t>(hub_->mailboxes.size()); }
  Caps caps() const override {
    Caps caps;
    caps.inside_one_host = true;
    return caps;
  }
  Request post(const Exec& exec, std::span<const Op> ops) override;
  void progress(Deadline until) override;
  void wake() override { own_.wake(); }
  void abort(std::uint32_t culprit, std::string_view reason) noexcept override;

 private:
  bool may_deliver(const Letter& letter);
  void deliver(const Letter& letter);
  bool deliver_batch();
  void drop_into_mailbox(const Op& send, const std::shared_ptr<PendingGroup>& group, std::size_t index);
  [[noreturn]] void throw_closed(std::uint32_t peer);
  std::optional<std::uint32_t> needed_but_gone();

  std::shared_ptr<Hub> hub_;
  const std::uint32_t rank_;
  Mailbox& own_;
  Matcher matcher_;
  bool receives_posted_ = false;    // since the mailbox was last looked through
  std::vector<bool> answered_;      // by rank: has sends that were completed and must be woken
  std::optional<Failure> failure_;  // thrown again by every call
};

Loopback::~Loopback() {
  std::vector<bool> unread(ranks());
  {
    const std::lock_guard lock(own_.mutex);
    own_.closed = true;
    for (const Letter& letter : own_.letters) unread[letter.sender] = true;
    own_.letters.clear();
  }
  for (std::uint32_t peer = 0; peer < ranks(); ++peer) {
    Mailbox& mailbox = hub_->mailboxes[peer];
    const std::lock_guard lock(mailbox.mutex);
    std::erase_if(mailbox.letters, [&](const Letter& letter) { return letter.sender == rank_; });
    mailbox.lost[rank_] = unread[peer];
    mailbox.left[rank_] = mailbox.woken = true;
    mailbox.changed.notify_all();
  }
}

Request Loopback::post(const Exec&, std::span<const Op> ops) {
  if (failure_) failure_->raise();
  try {
    auto group = std::make_shared<PendingGroup>(ops.size());
    for (std::size_t i = 0; i < ops.size(); ++i)
      if (ops[i].kind == Op::Kind::receive) {
        matcher_.post(ops[i], group, i);
        receives_posted_ = true;
      } else {
        drop_into_mailbox(ops[i], group, i);
      }
    return Request(std::move(group));
  } catch (...) {
    failure_ = Failure::current();
    throw;
  }
}

void Loopback::drop_into_mailbox(const Op& send, const std::shared_ptr<PendingGroup>& group, std::size_t index) {
  Mailbox& mailbox = hub_->mailboxes[send.peer];
  std::unique_lock lock(mailbox.mutex);
  if (mailbox.closed) {
    lock.unlock();
    throw_closed(send.peer);
  }
  mailbox.letters.push_back({rank_, send.tag, send.bytes, group, index});
  mailbox.woken = true;
  mailbox.changed.notify_all();
}

void Loopback::throw_closed(std::uint32_t peer) {
  {
    const std::lock_guard lock(own_.mutex);
    if (own_.failure) own_.failure->raise();
  }
  throw PeerError(peer, detail::concat("rank ", peer, " closed its transport; rank ", rank_, " had a message for it"));
}

void Loopback::progress(Deadline until) {
  if (failure_) failure_->raise();
  try {
    std::unique_lock lock(own_.mutex);
    if (!own_.woken && !receives_posted_ && !until.passed())
      own_.changed.wait_until(lock, until.at(), [&] { return own_.woken; });
    receives_posted_ = false;
    if (own_.failure) own_.failure->raise();
    own_.woken = deliver_batch();
    lock.unlock();  // never two mailboxes at once
    for (std::uint32_t sender = 0; sender < ranks(); ++sender) {
      if (answered_[sender]) hub_->mailboxes[sender].wake();
      answered_[sender] = false;
    }
    lock.lock();
    if (own_.failure) own_.failure->raise();  // what a rank said counts more than that it left
    if (const auto gone = needed_but_gone())
      throw PeerError(
          *gone, detail::concat("rank ", *gone, " closed its transport while rank ", rank_, " was waiting for it"));
  } catch (...) {
    failure_ = Failure::current();
    throw;
  }
}

bool Loopback::may_deliver(const Letter& letter) {
  return letter.bytes.size() <= kEagerBytes || matcher_.expects(letter.sender, letter.tag);
}

// With the mailbox locked. True if there is more to deliver.
bool Loopback::deliver_batch() {
  std::vector<Letter>& letters = own_.letters;
  std::size_t waiting = 0, copied = 0;
  bool more = false;
  for (std::size_t i = 0; i < letters.size(); ++i) {
    const bool full = copied >= kBatchBytes;
    if (!full && may_deliver(letters[i])) {
      deliver(letters[i]);
      letters[i].group->complete(letters[i].op, 0);
      answered_[letters[i].sender] = true;
      copied += letters[i].bytes.size();
      continue;
    }
    more |= full;
    if (waiting != i) letters[waiting] = std::move(letters[i]);
    ++waiting;
  }
  letters.erase(letters.begin() + static_cast<std::ptrdiff_t>(waiting), letters.end());
  return more;
}

void Loopback::deliver(const Letter& letter) {
  const auto inbound = matcher_.begin(letter.sender, letter.tag, letter.bytes.size());
  if (!letter.bytes.empty()) std::memcpy(inbound->target().data(), letter.bytes.data(), letter.bytes.size());
  matcher_.finish(*inbound);
}

// A rank that left without sending what this one waits for, or without reading what this one sent.
std::optional<std::uint32_t> Loopback::needed_but_gone() {
  for (std::uint32_t peer = 0; peer < ranks(); ++peer)
    if (own_.left[peer] && (own_.lost[peer] || matcher_.waits_for(peer))) return peer;
  return std::nullopt;
}

void Loopback::abort(std::uint32_t culprit, std::string_view reason) noexcept {
  try {
    const Failure failure(PeerError(culprit, detail::concat("rank ", rank_, " gave up: ", reason)));
    for (std::uint32_t peer = 0; peer < ranks(); ++peer) {
      if (peer == rank_) continue;
      Mailbox& mailbox = hub_->mailboxes[peer];
      const std::lock_guard lock(mailbox.mutex);
      if (!mailbox.failure) mailbox.failure = failure;
      mailbox.woken = true;
      mailbox.changed.notify_all();
    }
  } catch (...) {  // out of memory: they find this rank gone instead
  }
}

struct NoParams {
  static void declare(void*, ParamVisitor&) {}
};

}  // namespace

TransportPtr connect_loopback(Bootstrap& bootstrap, const SpecTerm& term, const ConnectOptions& options) {
  read_params(term, nullptr, NoParams::declare);
  struct Invitation {
    std::int64_t process;
    std::shared_ptr<Hub>* hub;  // of rank 0, valid until all ranks have met again
  };
  auto hub = std::make_shared<Hub>(bootstrap.ranks());
  const Invitation own{getpid(), &hub};
  const Deadline deadline = Deadline::in(options.deadline_seconds);
  const auto blobs = bootstrap.all_gather(std::as_bytes(std::span(&own, 1)), "loopback invitations", deadline);
  Invitation first;
  TW_CHECK(blobs[0].size() == sizeof first, UsageError, "rank 0 connects over another transport");
  std::memcpy(&first, blobs[0].data(), sizeof first);
  TW_CHECK(first.process == own.process, UsageError, "loopback connects threads of one process, but rank ",
           bootstrap.rank(), " is in process ", own.process, " and rank 0 in process ", first.process,
           "; use tcp or ucx between processes");
  const std::shared_ptr<Hub> shared = *first.hub;
  bootstrap.all_gather({}, "loopback meeting", deadline);
  return TransportPtr(new Loopback(shared, bootstrap.rank()));
}

}  // namespace tw
