#include "collectives/transports/nccl/watch.hpp"

#include <algorithm>

#include "collectives/tag.hpp"

namespace tw::nccl {
namespace {

constexpr Tag kGoodbye = small_tag(MessageKind::transport, 0, 0);

Request post(Transport& control, Op::Kind kind, std::uint32_t peer) {
  const Op op{kind, peer, kGoodbye, {}};
  return control.post({}, {&op, 1});
}

}  // namespace

void Watch::look(Peer& peer) {
  if (!peer.goodbye || !peer.goodbye->done()) return;
  peer.left = true;
  peer.goodbye.reset();
}

void Watch::meet(std::span<const std::uint32_t> peers) {
  for (const std::uint32_t rank : peers) peers_[rank].met = true;
}

void Watch::expect(std::span<const std::uint32_t> peers) {
  for (const std::uint32_t rank : peers) {
    Peer& peer = peers_[rank];
    if (rank == control_.rank()) continue;
    if (!peer.left && !peer.goodbye) peer.goodbye = post(control_, Op::Kind::receive, rank);
    look(peer);
  }
}

void Watch::relax() {
  for (Peer& peer : peers_) {
    look(peer);
    peer.goodbye.reset();
  }
}

void Watch::leave(Deadline deadline) {
  std::vector<std::uint32_t> met;
  for (std::uint32_t rank = 0; rank < peers_.size(); ++rank)
    if (peers_[rank].met && rank != control_.rank()) met.push_back(rank);
  if (met.empty()) return;
  expect(met);  // some may have left before
  control_.progress(Deadline::in(0));
  expect(met);
  relax();  // whoever leaves from now on needs no goodbye
  std::vector<Request> said;
  for (const std::uint32_t rank : met)
    if (!peers_[rank].left) said.push_back(post(control_, Op::Kind::send, rank));
  const auto under_way = [&] { return std::all_of(said.begin(), said.end(), [](const auto& s) { return s.done(); }); };
  while (!under_way() && !deadline.passed()) control_.progress(deadline);
}

}  // namespace tw::nccl
