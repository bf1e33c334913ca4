#include "collectives/small.hpp"

#include <algorithm>
#include <cstring>

#include "collectives/patterns.hpp"
#include "kernels/base/check.hpp"
#include "kernels/base/crc32c.hpp"

namespace tw {
namespace {

constexpr std::uint32_t kSmallMagic = 0x53575754;  // "TWWS"

struct SmallHeader {
  std::uint32_t magic, communicator, sequence, crc;
};
static_assert(sizeof(SmallHeader) == kSmallHeaderBytes);

SmallHeader header_of(const Group& group, SmallId id, std::span<const std::byte> payload) {
  SmallHeader header{kSmallMagic, group.communicator, id.sequence, 0};
  const std::uint32_t fields = crc32c(std::as_bytes(std::span(&header, 1)).first(12));
  header.crc = crc32c(payload, fields);
  return header;
}

Message send_small(Group& group, SmallId id, std::uint32_t peer, std::uint32_t round,
                   std::span<const std::byte> payload) {
  Message message{group.buffers.take(kSmallHeaderBytes + payload.size()), {}};
  const SmallHeader header = header_of(group, id, payload);
  std::memcpy(message.buffer.bytes().data(), &header, sizeof header);
  if (!payload.empty()) std::memcpy(message.buffer.bytes().data() + sizeof header, payload.data(), payload.size());
  message.request = group.send(peer, small_tag(id.kind, id.sequence, round), message.buffer.bytes());
  return message;
}

// The payload of a received message, checked.
std::span<const std::byte> open_small(const Group& group, SmallId id, std::uint32_t peer, const Message& message,
                                      std::size_t payload_bytes) {
  const auto bytes = message.received();
  TW_CHECK(bytes.size() == kSmallHeaderBytes + payload_bytes, WireError, "message from rank ", peer, " has ",
           bytes.size(), " bytes, expected ", kSmallHeaderBytes + payload_bytes);
  const auto payload = bytes.subspan(kSmallHeaderBytes);
  const SmallHeader expected = header_of(group, id, payload);
  TW_CHECK(std::memcmp(bytes.data(), &expected, sizeof expected) == 0, WireError, "message from rank ", peer,
           " is corrupt or foreign: its header or checksum does not fit collective ", id.sequence);
  return payload;
}

}  // namespace

AllGather::AllGather(Group& group, SmallId id, std::string what, Source source)
    : group_(group), id_(id), what_(std::move(what)), source_(std::move(source)) {}

void AllGather::start() {
  started_ = true;
  gathered_.resize(source_.bytes * group_.ranks());
  const auto own = std::span(gathered_).subspan(group_.rank() * source_.bytes, source_.bytes);
  source_.record(own);
  receives_.resize(group_.ranks());
  for (std::uint32_t round = 1; round < group_.ranks(); ++round) {
    const std::uint32_t source = receive_peer(group_.rank(), round, group_.ranks());
    receives_[source] =
        receive_message(group_, source, small_tag(id_.kind, id_.sequence, 0), kSmallHeaderBytes + source_.bytes);
    sends_.push_back(send_small(group_, id_, send_peer(group_.rank(), round, group_.ranks()), 0, own));
  }
}

Operation::Progress AllGather::advance() {
  if (!started_) {
    if (source_.ready && !source_.ready()) return Progress::waiting;
    start();
  }
  for (std::uint32_t rank = 0; rank < receives_.size(); ++rank) {
    Message& message = receives_[rank];
    if (message.buffer.bytes().empty() || !message.done()) continue;
    const auto payload = open_small(group_, id_, rank, message, source_.bytes);
    if (!payload.empty()) std::memcpy(gathered_.data() + rank * source_.bytes, payload.data(), payload.size());
    message = {};
  }
  std::erase_if(sends_, [](const Message& send) { return send.done(); });
  const bool all_here = std::all_of(receives_.begin(), receives_.end(),
                                    [](const Message& message) { return message.buffer.bytes().empty(); });
  return all_here && sends_.empty() ? Progress::complete : Progress::waiting;
}

Operation::Wait AllGather::waiting_for() const {
  if (!started_) return {group_.rank(), what_ + " (this rank has not encoded everything)"};
  for (std::uint32_t rank = 0; rank < receives_.size(); ++rank)
    if (!receives_[rank].buffer.bytes().empty()) return {rank, what_};
  return {group_.rank(), what_};
}

// The binomial tree over ranks counted from the root: the parent of v is v without its lowest set bit.
Broadcast::Broadcast(Group& group, SmallId id, std::uint32_t root, std::span<std::byte> data)
    : group_(group),
      id_(id),
      data_(data),
      pieces_(std::max<std::size_t>((data.size() + kPieceBytes - 1) / kPieceBytes, 1)) {
  const std::uint32_t ranks = group.ranks();
  const std::uint32_t place = (group.rank() + ranks - root) % ranks;
  const std::uint32_t lowest = place == 0 ? std::bit_ceil(ranks) : place & (~place + 1);
  parent_ = place == 0 ? group.rank() : (place - lowest + root) % ranks;
  for (std::uint32_t step = lowest >> 1; step != 0; step >>= 1)
    if (place + step < ranks) children_.push_back((place + step + root) % ranks);
}

std::span<std::byte> Broadcast::piece(std::size_t index) const {
  const std::size_t begin = index * kPieceBytes;
  return data_.subspan(begin, std::min(kPieceBytes, data_.size() - begin));
}

void Broadcast::forward(std::size_t index, std::span<const std::byte> values) {
  for (const std::uint32_t child : children_)
    sends_.push_back(send_small(group_, id_, child, static_cast<std::uint32_t>(index), values));
  ++forwarded_;
}

bool Broadcast::receive_some() {
  for (; posted_ < pieces_ && receives_.size() < kWindow; ++posted_)
    receives_.push_back(receive_message(group_, parent_,
                                        small_tag(id_.kind, id_.sequence, static_cast<std::uint32_t>(posted_)),
                                        kSmallHeaderBytes + piece(posted_).size()));
  if (receives_.empty() || !receives_.front().done()) return false;
  const std::span<std::byte> target = piece(forwarded_);
  const auto payload = open_small(group_, id_, parent_, receives_.front(), target.size());
  if (!payload.empty()) std::memcpy(target.data(), payload.data(), payload.size());
  receives_.pop_front();
  forward(forwarded_, target);
  return true;
}

bool Broadcast::send_some() {
  if (forwarded_ == pieces_ || sends_.size() >= kWindow * std::max<std::size_t>(children_.size(), 1)) return false;
  forward(forwarded_, piece(forwarded_));
  return true;
}

Operation::Progress Broadcast::advance() {
  std::erase_if(sends_, [](const Message& send) { return send.done(); });
  if (parent_ == group_.rank() ? send_some() : receive_some()) return Progress::more;
  return forwarded_ == pieces_ && sends_.empty() ? Progress::complete : Progress::waiting;
}

Operation::Wait Broadcast::waiting_for() const {
  const std::uint32_t peer = forwarded_ == pieces_ && !children_.empty() ? children_.front() : parent_;
  return {peer, "broadcast, piece " + std::to_string(forwarded_) + " of " + std::to_string(pieces_)};
}

}  // namespace tw
