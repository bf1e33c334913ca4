// The part of the UCX transport that looks after its links: greeting, heartbeats, leaving, giving up, and their
// counterparts at the other end.
#include <algorithm>
#include <cstring>

#include "collectives/transports/ucx/core.hpp"
#include "kernels/base/check.hpp"

namespace tw::ucx {
namespace {

constexpr double kLeaveSeconds = 1.0;         // for peers to take what was sent to them, and to confirm it
constexpr double kAbortSeconds = 0.5;         // for peers to confirm that they heard of an abort
constexpr double kFlushSeconds = 0.3;         // for what was said to get out
constexpr std::size_t kLongestReason = 1000;  // bytes

}  // namespace

// Runs the workers until `done()` or `until`.
void Core::run_until(const std::function<bool()>& done, Deadline until) {
  for (;;) {
    run_workers();
    if (done() || until.passed()) return;
    sleep(until);
  }
}

void Core::greet(Deadline deadline) {
  for (std::uint32_t peer = 0; peer < ranks(); ++peer)
    if (links_[peer].fabric != nullptr) say(peer, ControlKind::hello);
  const auto stranger = [&] {
    return std::find_if(links_.begin(), links_.end(),
                        [](const Link& link) { return link.fabric != nullptr && link.state == LinkState::connecting; });
  };
  run_until([&] { return journal_.failure || (stranger() == links_.end() && controls_under_way_ == 0); }, deadline);
  journal_.raise();
  if (stranger() == links_.end()) return;
  const auto peer = static_cast<std::uint32_t>(stranger() - links_.begin());
  throw PeerError(peer, detail::concat("rank ", peer, " did not answer rank ", rank_, " over UCX (",
                                       links_[peer].fabric->path() == Path::host ? "shared memory" : "network",
                                       ") by the deadline"));
}

void Core::say(std::uint32_t peer, ControlKind kind, std::uint32_t culprit, std::string_view text) {
  Sending& sending = new_sending(peer);
  sending.control = {job_, links_[peer].sent, rank_, kind, culprit, 0};
  sending.message = nullptr;
  sending.text = text;
  ++controls_under_way_;
  start(sending, MessageId::control, std::as_bytes(std::span(&sending.control, 1)),
        std::as_bytes(std::span(sending.text)));
}

ucs_status_t Core::on_control(void* argument, const void* header, std::size_t header_bytes, void* data,
                              std::size_t bytes, const ucp_am_recv_param_t* how) {
  Core& core = *static_cast<Core*>(argument);
  ControlHeader message;
  if (header_bytes != sizeof message || (how->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) != 0) return UCS_OK;
  std::memcpy(&message, header, sizeof message);
  if (message.job != core.job_ || message.source >= core.ranks() || message.source == core.rank_) return UCS_OK;
  core.liveness_.heard(message.source, Liveness::Clock::now());
  try {
    core.hear(message, {static_cast<const char*>(data), bytes});
  } catch (...) {
    core.journal_.fail(Failure::current());
  }
  return UCS_OK;
}

void Core::hear(const ControlHeader& message, std::string_view text) {
  Link& link = links_[message.source];
  switch (message.kind) {
    case ControlKind::hello:
      link.greeted = true;
      say(message.source, ControlKind::welcome);
      break;
    case ControlKind::welcome:
      link.welcomed = true;
      break;
    case ControlKind::heartbeat:
      break;
    case ControlKind::leave:
      link.leaves = message.sequence;
      say(message.source, ControlKind::farewell);
      break;
    case ControlKind::farewell:
      link.dismissed = true;
      break;
    case ControlKind::abort:
      link.dismissed = true;  // it is at its end
      say(message.source, ControlKind::farewell);
      journal_.fail(PeerError(message.culprit, detail::concat("rank ", message.source, " gave up: ", text)));
      break;
  }
  if (link.state == LinkState::connecting && link.greeted && link.welcomed) link.state = LinkState::connected;
}

void Core::note_leavers() {
  for (std::uint32_t peer = 0; peer < ranks(); ++peer) {
    Link& link = links_[peer];
    if (link.leaves && link.state != LinkState::left && inbox_.received(peer) >= *link.leaves) {
      link.state = LinkState::left;
      liveness_.ignore(peer);
      inbox_.forget(peer);
    }
    if (link.state != LinkState::left) continue;
    if (inbox_.waits_for(peer) || inbox_.fetches_from(peer))
      journal_.fail(PeerError(peer, detail::concat("rank ", peer, " closed its transport while rank ", rank_,
                                                   " was waiting for a message of it")));
    if (link.sends_under_way != 0)
      journal_.fail(PeerError(
          peer, detail::concat("rank ", peer, " closed its transport before it took a message of ", "rank ", rank_)));
  }
}

void Core::lose(std::uint32_t peer, std::string_view how) {
  note_leavers();
  Link& link = links_[peer];
  if (link.state == LinkState::left || link.state == LinkState::lost) return;
  if (link.dismissed) {  // it confirmed that this rank leaves, and may go first without another word
    link.state = LinkState::left;
    return liveness_.ignore(peer);
  }
  link.state = LinkState::lost;
  liveness_.lost(peer);
  journal_.fail(PeerError(peer, detail::concat("rank ", peer, " is gone: ", how)));
}

void Core::on_broken(void* argument, ucp_ep_h endpoint, ucs_status_t status) {
  Core& core = *static_cast<Core*>(argument);
  const auto link = std::find_if(core.links_.begin(), core.links_.end(),
                                 [&](const Link& candidate) { return candidate.endpoint == endpoint; });
  if (link == core.links_.end()) return;
  core.broken_.emplace_back(static_cast<std::uint32_t>(link - core.links_.begin()),
                            detail::concat("its connection broke: ", ucs_status_string(status)));
}

void Core::send_heartbeats() {
  const auto now = Liveness::Clock::now();
  for (std::uint32_t peer = 0; peer < ranks(); ++peer) {
    if (!liveness_.due(peer, now)) continue;
    Link& link = links_[peer];
    if (!connected(peer) || std::exchange(link.heartbeat_under_way, true))
      liveness_.sent(peer, now);  // nothing to say, or it does not listen
    else
      say(peer, ControlKind::heartbeat);
  }
}

// A closed connection of the network may drop what is still on its way, so peers there confirm what must not be lost.
// In shared memory it is theirs already.
bool Core::confirmed(const Link& link) const {
  return link.state != LinkState::connected || link.dismissed || link.fabric->path() == Path::host;
}

void Core::abort(std::uint32_t culprit, std::string_view reason) noexcept {
  try {
    if (std::exchange(aborted_, true)) return;
    for (std::uint32_t peer = 0; peer < ranks(); ++peer)
      if (connected(peer)) say(peer, ControlKind::abort, culprit, reason.substr(0, kLongestReason));
    const auto told = [&] {
      for (std::uint32_t peer = 0; peer < ranks(); ++peer)
        if (peer != culprit && links_[peer].fabric != nullptr && !confirmed(links_[peer])) return false;
      return true;
    };
    const Deadline until = Deadline::in(kAbortSeconds);
    run_until(told, until);
    for (const auto& fabric : fabrics_)
      if (fabric != nullptr) fabric->flush(std::min(until.left(), kFlushSeconds));
  } catch (...) {  // out of memory: they find this rank gone instead
  }
}

void Core::leave() noexcept {
  try {
    if (aborted_) return;
    const bool failed = journal_.failure.has_value();
    for (std::uint32_t peer = 0; peer < ranks(); ++peer)
      if (connected(peer)) say(peer, ControlKind::leave);
    // Messages that a peer reads from our memory must not lose it under its hands.
    const auto released = [&](const Link& link) {
      if (link.fabric == nullptr || link.state != LinkState::connected || link.dismissed) return true;
      return link.fabric->path() == Path::host ? link.sends_under_way == 0 : link.sent == 0;
    };
    const Deadline until = Deadline::in(failed ? kFlushSeconds : kLeaveSeconds);
    const auto all_released = [&] { return std::all_of(links_.begin(), links_.end(), released); };
    run_until([&] { return controls_under_way_ == 0 && (failed || all_released()); }, until);
    for (const auto& fabric : fabrics_)
      if (fabric != nullptr) fabric->flush(std::min(until.left(), kFlushSeconds));
  } catch (...) {  // out of memory: they find this rank gone
  }
}

}  // namespace tw::ucx
