#include "collectives/transports/tcp_connect.hpp"

#include <poll.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "kernels/base/check.hpp"

namespace tw {
namespace {

constexpr double kHelloSeconds = 2;        // what a stranger has to say who it is
constexpr std::size_t kMaxStrangers = 64;  // connections at once that have not shown the token; the oldest goes
constexpr std::size_t kMaxHostBytes = 64;
constexpr int kMaxCalls = 100;
constexpr int kUnsentBytes = 128 * 1024;  // what a vote may have to wait for: a millisecond at 1 Gb/s

TcpToken random_token() {
  TcpToken token;
  if (getrandom(token.data(), token.size(), 0) != static_cast<ssize_t>(token.size()))
    fail_system("cannot get random bytes", errno);
  return token;
}

// Where a rank listens, as the rendezvous carries it: token, port, host in numbers.
struct Invitation {
  TcpToken token{};
  Address address;

  std::vector<std::byte> bytes() const {
    const std::string host = address.host();
    const std::uint16_t port = address.port();
    std::vector<std::byte> blob(token.size() + sizeof port + host.size());
    std::memcpy(blob.data(), token.data(), token.size());
    std::memcpy(blob.data() + token.size(), &port, sizeof port);
    std::memcpy(blob.data() + token.size() + sizeof port, host.data(), host.size());
    return blob;
  }

  static Invitation read(std::span<const std::byte> blob, std::uint32_t rank) {
    Invitation invitation;
    std::uint16_t port = 0;
    const std::size_t fixed = invitation.token.size() + sizeof port;
    TW_CHECK(blob.size() > fixed && blob.size() <= fixed + kMaxHostBytes, UsageError, "rank ", rank,
             " connects over another transport");
    std::memcpy(invitation.token.data(), blob.data(), invitation.token.size());
    std::memcpy(&port, blob.data() + invitation.token.size(), sizeof port);
    const std::string host(reinterpret_cast<const char*>(blob.data()) + fixed, blob.size() - fixed);
    const auto address = Address::parse(host, port);
    TW_CHECK(address.has_value(), UsageError, "rank ", rank, " gave '", host, "' as its address");
    invitation.address = *address;
    return invitation;
  }
};

Address address_to_bind(const Bootstrap& bootstrap, const ConnectOptions& options) {
  if (!options.interface.empty()) return address_of_interface(options.interface);
  const std::string host = bootstrap.local_host();
  const auto known = host.empty() ? std::nullopt : Address::parse(host, 0);
  return known ? *known : outward_address();
}

// A connection whose other end has not yet shown who it is.
struct Candidate {
  Descriptor socket;
  std::optional<std::uint32_t> called;  // the rank that this one connects to; empty for a stranger
  Deadline deadline;
  bool connecting = false;
  TcpHello heard;
  std::size_t heard_bytes = 0;

  std::span<std::byte> unheard() { return std::as_writable_bytes(std::span(&heard, 1)).subspan(heard_bytes); }
};

class Mesh {
 public:
  Mesh(Bootstrap& bootstrap, const ConnectOptions& options);
  std::vector<std::unique_ptr<TcpLink>> connect();

 private:
  enum class Step : std::uint8_t { wait, drop, joined };

  std::optional<std::uint32_t> first_missing() const;
  void call(std::uint32_t peer);
  void turn();
  void admit_strangers();
  void advance(Candidate& candidate);
  Step hear(Candidate& candidate);
  bool is_member(const TcpHello& hello) const;
  bool greet(const Descriptor& socket, std::uint32_t peer) const;
  void join(Candidate& candidate, std::uint32_t peer);
  void lose(const Candidate& candidate);

  const std::uint32_t rank_, ranks_;
  const Deadline deadline_;
  const Descriptor listener_;
  TcpToken token_ = random_token();
  std::vector<Invitation> invitations_;
  std::vector<Candidate> candidates_;
  std::vector<int> calls_;  // by rank: attempts
  std::vector<std::unique_ptr<TcpLink>> links_;
};

Mesh::Mesh(Bootstrap& bootstrap, const ConnectOptions& options)
    : rank_(bootstrap.rank()),
      ranks_(bootstrap.ranks()),
      deadline_(Deadline::in(options.deadline_seconds)),
      listener_(listen_at(address_to_bind(bootstrap, options), static_cast<int>(kMaxStrangers + ranks_))),
      calls_(ranks_),
      links_(ranks_) {
  const Invitation own{token_, local_address(listener_)};
  const auto blobs = bootstrap.all_gather(own.bytes(), "exchange of tcp addresses", deadline_);
  for (std::uint32_t rank = 0; rank < ranks_; ++rank) invitations_.push_back(Invitation::read(blobs[rank], rank));
}

std::vector<std::unique_ptr<TcpLink>> Mesh::connect() {
  for (std::uint32_t peer = 0; peer < rank_; ++peer) call(peer);
  while (const auto missing = first_missing()) {
    if (deadline_.passed())
      throw PeerError(
          *missing,
          detail::concat("rank ", *missing, ", which listens at ", invitations_[*missing].address.text(), ", and rank ",
                         rank_, " at ", invitations_[rank_].address.text(), " were not connected by the deadline"));
    turn();
  }
  return std::move(links_);
}

std::optional<std::uint32_t> Mesh::first_missing() const {
  for (std::uint32_t peer = 0; peer < ranks_; ++peer)
    if (peer != rank_ && links_[peer] == nullptr) return peer;
  return std::nullopt;
}

void Mesh::call(std::uint32_t peer) {
  ++calls_[peer];
  candidates_.push_back({begin_connect(invitations_[peer].address), peer, deadline_, true, {}, 0});
}

void Mesh::turn() {
  std::vector<Wanted> wanted{{&listener_, POLLIN}};
  Deadline until = deadline_;
  for (const Candidate& candidate : candidates_) {
    wanted.push_back({&candidate.socket, candidate.connecting ? short{POLLOUT} : short{POLLIN}});
    until = std::min(until, candidate.deadline);
  }
  wait_any(wanted, until);
  std::vector<Candidate> heard;
  for (std::size_t i = candidates_.size(); i-- > 0;) {
    if (wanted[i + 1].ready == 0 && !candidates_[i].deadline.passed()) continue;
    heard.push_back(std::move(candidates_[i]));
    candidates_.erase(candidates_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  for (Candidate& candidate : heard) advance(candidate);
  admit_strangers();
}

void Mesh::admit_strangers() {
  for (Descriptor socket = accept_from(listener_); socket.open(); socket = accept_from(listener_)) {
    const auto stranger = [](const Candidate& candidate) { return !candidate.called.has_value(); };
    if (std::count_if(candidates_.begin(), candidates_.end(), stranger) >= std::ptrdiff_t{kMaxStrangers})
      candidates_.erase(std::find_if(candidates_.begin(), candidates_.end(), stranger));
    candidates_.push_back({std::move(socket), {}, Deadline::in(kHelloSeconds), false, {}, 0});
  }
}

// Takes a candidate that is ready, or late, one step further: it waits on, joins or is dropped.
void Mesh::advance(Candidate& candidate) {
  if (candidate.connecting) {
    const int error = connect_error(candidate.socket);
    const std::uint32_t peer = *candidate.called;
    if (error != 0)
      throw PeerError(peer, detail::concat("rank ", peer, " cannot be reached at ", invitations_[peer].address.text(),
                                           ": ", std::system_category().message(error)));
    candidate.connecting = false;
    if (!greet(candidate.socket, peer)) return lose(candidate);
    return candidates_.push_back(std::move(candidate));
  }
  const Step step = hear(candidate);
  if (step == Step::joined) return join(candidate, candidate.heard.from);
  if (step == Step::drop || candidate.deadline.passed()) return lose(candidate);
  candidates_.push_back(std::move(candidate));
}

// Reads the peer's hello; strangers are answered with ours.
Mesh::Step Mesh::hear(Candidate& candidate) {
  const auto got = read_some(candidate.socket, candidate.unheard());
  if (!got) return Step::drop;
  candidate.heard_bytes += *got;
  if (candidate.heard_bytes < sizeof candidate.heard) return Step::wait;
  if (!is_member(candidate.heard)) return Step::drop;
  const std::uint32_t from = candidate.heard.from;
  if (candidate.called) return *candidate.called == from ? Step::joined : Step::drop;
  return from > rank_ && greet(candidate.socket, from) ? Step::joined : Step::drop;
}

bool Mesh::is_member(const TcpHello& hello) const {
  TcpHello expected;
  expected.ranks = ranks_;
  expected.from = hello.from;
  expected.to = rank_;
  expected.token = token_;
  return hello == expected && hello.from < ranks_ && hello.from != rank_ && links_[hello.from] == nullptr;
}

bool Mesh::greet(const Descriptor& socket, std::uint32_t peer) const {
  TcpHello hello;
  hello.ranks = ranks_;
  hello.from = rank_;
  hello.to = peer;
  hello.token = invitations_[peer].token;
  return write_some(socket, std::as_bytes(std::span(&hello, 1))) == sizeof hello;  // a new socket has room
}

void Mesh::join(Candidate& candidate, std::uint32_t peer) {
  set_no_delay(candidate.socket);
  limit_unsent(candidate.socket, kUnsentBytes);
  links_[peer] = std::make_unique<TcpLink>(std::move(candidate.socket), peer, ranks_);
}

// A stranger is forgotten. A member that was called may have had to drop the call in a flood of strangers: again.
void Mesh::lose(const Candidate& candidate) {
  if (candidate.called && calls_[*candidate.called] < kMaxCalls) call(*candidate.called);
}

}  // namespace

std::vector<std::unique_ptr<TcpLink>> connect_links(Bootstrap& bootstrap, const ConnectOptions& options) {
  if (bootstrap.ranks() == 1) return std::vector<std::unique_ptr<TcpLink>>(1);
  return Mesh(bootstrap, options).connect();
}

}  // namespace tw
