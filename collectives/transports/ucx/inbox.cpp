#include "collectives/transports/ucx/inbox.hpp"

#include <algorithm>
#include <utility>

#include "kernels/base/check.hpp"

namespace tw::ucx {
namespace {

// Of a peer's messages that nobody has asked for yet: UCX cannot be told to stop reading, so a rank that runs ahead of
// the others needs room.
constexpr std::size_t kKeptBytes = std::size_t{4} << 30;

}  // namespace

Inbox::Inbox(std::uint32_t ranks, Journal& journal) : journal_(journal), matcher_(ranks, kKeptBytes), peers_(ranks) {}

void Inbox::post(const Op& receive, const std::shared_ptr<PendingGroup>& group, std::size_t index, const Exec& place) {
  matcher_.post(receive, group, index, place);
  if (!matcher_.expects(receive.peer, receive.tag)) return;
  auto& announced = peers_[receive.peer].announced;
  const auto message =
      std::find_if(announced.begin(), announced.end(), [&](const Announced& a) { return a.tag == receive.tag; });
  if (message == announced.end()) return;
  const Announced taken = *message;
  announced.erase(message);
  fetch(receive.peer, taken);
}

void Inbox::deliver_own(std::uint32_t rank, Tag tag, std::span<const std::byte> bytes, const Exec& place) {
  take_whole(rank, tag, bytes, place);
}

bool Inbox::in_order(const DataHeader& header) const {
  const std::uint64_t next = peers_[header.source].next;
  TW_CHECK(header.sequence >= next, WireError, "rank ", header.source, " sent message ", header.sequence, " twice");
  return header.sequence == next;
}

void Inbox::arrived(const DataHeader& header, std::span<const std::byte> bytes) {
  Peer& peer = peers_[header.source];
  if (!in_order(header)) {
    peer.early.emplace(header.sequence, Early{header, nullptr, nullptr, {bytes.begin(), bytes.end()}});
    return;
  }
  ++peer.next;
  take_part(header, bytes);
  take_early(header.source);
}

void Inbox::announced(Fabric& fabric, const DataHeader& header, void* descriptor, std::size_t bytes) {
  Peer& peer = peers_[header.source];
  if (!in_order(header)) {
    peer.early.emplace(header.sequence, Early{header, &fabric, descriptor, {}});
    return;
  }
  ++peer.next;
  take_announced(header.source, {&fabric, Tag{header.tag}, bytes, descriptor});
  take_early(header.source);
}

void Inbox::take_early(std::uint32_t rank) {
  Peer& peer = peers_[rank];
  for (auto next = peer.early.find(peer.next); next != peer.early.end(); next = peer.early.find(peer.next)) {
    const Early early = std::move(next->second);
    peer.early.erase(next);
    ++peer.next;
    if (early.descriptor != nullptr)
      take_announced(rank, {early.fabric, Tag{early.header.tag}, early.header.bytes, early.descriptor});
    else
      take_part(early.header, early.data);
  }
}

void Inbox::take_part(const DataHeader& header, std::span<const std::byte> bytes) {
  Peer& peer = peers_[header.source];
  TW_CHECK(header.offset == (peer.partial ? peer.partial_bytes : 0) && bytes.size() <= header.bytes - header.offset &&
               (!peer.partial || peer.partial->bytes() == header.bytes),
           WireError, "rank ", header.source, " sent ", bytes.size(), " bytes at ", header.offset, " of a message of ",
           header.bytes, " that do not follow what came before");
  if (bytes.size() == header.bytes) return take_whole(header.source, Tag{header.tag}, bytes);
  if (!peer.partial) {
    fetch_all_announced(header.source, Tag{header.tag});
    peer.partial = matcher_.begin(header.source, Tag{header.tag}, header.bytes);
    peer.partial_bytes = 0;
  }
  peer.partial->write(header.offset, bytes);
  peer.partial_bytes += bytes.size();
  if (peer.partial_bytes != header.bytes) return;
  matcher_.finish(*std::exchange(peer.partial, nullptr));
  ++journal_.completions;
}

void Inbox::take_whole(std::uint32_t peer, Tag tag, std::span<const std::byte> bytes, const Exec& place) {
  fetch_all_announced(peer, tag);
  const auto inbound = matcher_.begin(peer, tag, bytes.size());
  inbound->write(0, bytes, place);
  matcher_.finish(*inbound);
  ++journal_.completions;
}

void Inbox::take_announced(std::uint32_t peer, const Announced& message) {
  auto& announced = peers_[peer].announced;
  const bool behind_another =
      std::any_of(announced.begin(), announced.end(), [&](const Announced& a) { return a.tag == message.tag; });
  if (!behind_another && matcher_.expects(peer, message.tag))
    fetch(peer, message);
  else
    announced.push_back(message);
}

// A small message of the same tag must not overtake large ones: these are fetched into memory of their own.
void Inbox::fetch_all_announced(std::uint32_t peer, Tag tag) {
  auto& announced = peers_[peer].announced;
  for (std::size_t i = 0; i < announced.size();) {
    if (announced[i].tag != tag) {
      ++i;
      continue;
    }
    const Announced taken = announced[i];
    announced.erase(announced.begin() + static_cast<std::ptrdiff_t>(i));
    fetch(peer, taken);
  }
}

void Inbox::fetch(std::uint32_t peer, const Announced& message) {
  std::shared_ptr<Inbound> inbound;
  try {
    inbound = matcher_.begin(peer, message.tag, message.bytes);
  } catch (...) {
    peers_[peer].announced.push_back(message);  // refused: the transport is at its end, and forgets it then
    throw;
  }
  const std::span<std::byte> target = inbound->target();
  fetches_.push_back(std::make_unique<Fetch>(Fetch{this, fetches_.end(), message.fabric, peer, std::move(inbound)}));
  Fetch& fetch = *fetches_.back();
  fetch.self = std::prev(fetches_.end());
  ucp_request_param_t params{};
  params.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_MEMORY_TYPE;
  params.cb.recv_am = on_fetched;
  params.user_data = &fetch;
  params.memory_type = fetch.inbound->on_device() ? UCS_MEMORY_TYPE_CUDA : UCS_MEMORY_TYPE_HOST;
  const ucs_status_ptr_t request =
      ucp_am_recv_data_nbx(message.fabric->worker(), message.descriptor, target.data(), target.size(), &params);
  if (!UCS_PTR_IS_PTR(request)) finish(fetch, UCS_PTR_STATUS(request));
}

void Inbox::on_fetched(void* request, ucs_status_t status, std::size_t, void* argument) {
  Fetch& fetch = *static_cast<Fetch*>(argument);
  Inbox& inbox = *fetch.inbox;
  try {
    inbox.finish(fetch, status);
  } catch (...) {
    inbox.journal_.fail(Failure::current());
  }
  ucp_request_free(request);
}

void Inbox::finish(Fetch& fetch, ucs_status_t status) {
  const std::unique_ptr<Fetch> owned = std::move(*fetch.self);
  fetches_.erase(owned->self);
  if (status != UCS_OK)
    return journal_.suspect(
        PeerError(owned->peer, detail::concat("a message of ", owned->inbound->bytes(), " bytes from rank ",
                                              owned->peer, " broke off: UCX: ", ucs_status_string(status))));
  matcher_.finish(*owned->inbound);
  ++journal_.completions;
}

const Inbox::Fetch* Inbox::fetch_into(const PendingGroup& group) const {
  const auto found = std::find_if(fetches_.begin(), fetches_.end(), [&](const auto& fetch) {
    return !fetch->fabric->silenced() && fetch->inbound->goes_to(group);
  });
  return found == fetches_.end() ? nullptr : found->get();
}

bool Inbox::fetches_from(std::uint32_t peer) const {
  return std::any_of(fetches_.begin(), fetches_.end(), [&](const auto& fetch) { return fetch->peer == peer; });
}

void Inbox::forget(std::uint32_t peer) {
  for (const auto& [sequence, early] : peers_[peer].early)
    if (early.descriptor != nullptr) ucp_am_data_release(early.fabric->worker(), early.descriptor);
  peers_[peer].early.clear();
  for (const Announced& message : peers_[peer].announced)
    ucp_am_data_release(message.fabric->worker(), message.descriptor);
  peers_[peer].announced.clear();
}

}  // namespace tw::ucx
