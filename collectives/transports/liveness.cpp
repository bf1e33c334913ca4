#include "collectives/transports/liveness.hpp"

#include <algorithm>

namespace tw {

Liveness::Liveness(std::uint32_t rank, std::uint32_t ranks, Clock::time_point now, LivenessSettings settings)
    : settings_(settings), peers_(ranks), last_look_(now) {
  for (Peer& peer : peers_) peer.sent = now;
  peers_[rank].status = Status::ignored;
}

void Liveness::looked(Clock::time_point now) {
  looked_ += std::clamp(now - last_look_, Clock::duration::zero(), settings_.interval);
  last_look_ = std::max(now, last_look_);
}

// Heard since the last look, so at the latest now: as far as the clock of looks will have come then.
void Liveness::heard(std::uint32_t peer, Clock::time_point now) {
  peers_[peer].heard = looked_ + std::clamp(now - last_look_, Clock::duration::zero(), settings_.interval);
}

void Liveness::sent(std::uint32_t peer, Clock::time_point now) { peers_[peer].sent = now; }

void Liveness::lost(std::uint32_t peer) { peers_[peer].status = Status::lost; }

void Liveness::ignore(std::uint32_t peer) { peers_[peer].status = Status::ignored; }

bool Liveness::due(std::uint32_t peer, Clock::time_point now) const {
  return peers_[peer].status == Status::watched && now - peers_[peer].sent >= settings_.interval;
}

Liveness::Clock::time_point Liveness::next_due() const {
  auto next = Clock::time_point::max();
  for (const Peer& peer : peers_)
    if (peer.status == Status::watched) next = std::min(next, peer.sent + settings_.interval);
  return next;
}

std::optional<std::uint32_t> Liveness::silent() const {
  std::optional<std::uint32_t> longest;
  for (std::uint32_t rank = 0; rank < peers_.size(); ++rank) {
    const Peer& peer = peers_[rank];
    if (peer.status == Status::lost) return rank;
    if (peer.status == Status::ignored || looked_ - peer.heard <= settings_.timeout) continue;
    if (!longest || peer.heard < peers_[*longest].heard) longest = rank;
  }
  return longest;
}

}  // namespace tw
