#include "collectives/transports/matcher.hpp"

#include <algorithm>

#include "kernels/base/check.hpp"
#include "kernels/base/place.hpp"

namespace tw {

std::span<std::byte> Inbound::target() {
  if (kept_ == nullptr && group_.expired()) kept_ = std::make_unique_for_overwrite<std::byte[]>(bytes_);
  return kept_ ? std::span(kept_.get(), bytes_) : room_.first(bytes_);
}

void Inbound::write(std::size_t offset, std::span<const std::byte> bytes, const Exec& source) {
  const std::span<std::byte> to = target();
  if (bytes.empty()) return;
  const Exec& place = on_device() ? *place_ : source;
  copy_bytes(place, bytes, to.subspan(offset, bytes.size()));
  synchronize(place);
}

void Matcher::check_room(std::uint32_t peer, std::size_t bytes, std::size_t room) {
  TW_CHECK(bytes <= room, WireError, "message of ", bytes, " bytes from rank ", peer, ", at most ", room,
           " were expected");
}

void Matcher::post(const Op& receive, const std::shared_ptr<PendingGroup>& group, std::size_t index,
                   const Exec& place) {
  Peer& peer = peers_[receive.peer];
  const auto message =
      std::find_if(peer.kept.begin(), peer.kept.end(), [&](const auto& kept) { return kept->tag_ == receive.tag; });
  if (message == peer.kept.end()) {
    peer.posted.push_back({receive.tag, receive.bytes, &place, group, index});
    return;
  }
  const std::shared_ptr<Inbound> inbound = *message;
  check_room(receive.peer, inbound->bytes_, receive.bytes.size());
  peer.kept.erase(message);
  peer.kept_bytes -= inbound->bytes_;
  inbound->room_ = receive.bytes;
  inbound->place_ = &place;
  inbound->group_ = group;
  inbound->op_ = index;
  if (inbound->whole_) finish(*inbound);
}

std::shared_ptr<Inbound> Matcher::begin(std::uint32_t peer_rank, Tag tag, std::size_t bytes) {
  Peer& peer = peers_[peer_rank];
  std::erase_if(peer.posted, [](const Posted& posted) { return posted.group.expired(); });
  auto inbound = std::make_shared<Inbound>();
  inbound->tag_ = tag;
  inbound->bytes_ = bytes;
  const auto posted =
      std::find_if(peer.posted.begin(), peer.posted.end(), [&](const Posted& p) { return p.tag == tag; });
  if (posted != peer.posted.end()) {
    check_room(peer_rank, bytes, posted->room.size());
    inbound->room_ = posted->room;
    inbound->place_ = posted->place;
    inbound->group_ = posted->group;
    inbound->op_ = posted->op;
    peer.posted.erase(posted);
    return inbound;
  }
  TW_CHECK(bytes <= cap_bytes_ - peer.kept_bytes, WireError, "rank ", peer_rank, " sent ", bytes,
           " bytes that nobody asked for; ", peer.kept_bytes, " of at most ", cap_bytes_, " are kept already");
  inbound->kept_ = std::make_unique_for_overwrite<std::byte[]>(bytes);
  peer.kept_bytes += bytes;
  peer.kept.push_back(inbound);
  return inbound;
}

void Matcher::finish(Inbound& message) {
  message.whole_ = true;
  const auto group = message.group_.lock();
  if (group == nullptr) return;  // nobody has asked yet, or the receive was cancelled
  if (message.kept_ && message.bytes_ != 0) {
    copy_bytes(*message.place_, {message.kept_.get(), message.bytes_}, message.room_.first(message.bytes_));
    synchronize(*message.place_);
  }
  group->complete(message.op_, message.bytes_);
}

bool Matcher::expects(std::uint32_t peer, Tag tag) const {
  const auto& posted = peers_[peer].posted;
  return std::any_of(posted.begin(), posted.end(), [&](const Posted& p) { return p.tag == tag && !p.group.expired(); });
}

bool Matcher::waits_for(std::uint32_t peer_rank) {
  auto& posted = peers_[peer_rank].posted;
  std::erase_if(posted, [](const Posted& p) { return p.group.expired(); });
  return !posted.empty();
}

}  // namespace tw
