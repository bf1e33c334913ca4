// Pairs messages with receives, for transports that match in software: first in, first out for each (peer, tag). A
// message without a receive is kept, within a cap. Not thread safe.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "collectives/transport.hpp"

namespace tw {

/// What transports keep of a posted group: ops yet to complete, and the sizes received. They hold it weakly where they
/// receive: once its Request is gone, the memory of its receives is not touched any more.
class PendingGroup final : public Request::State {
 public:
  explicit PendingGroup(std::size_t ops) : left_(ops), received_(ops) {}
  bool done() const override { return left_.load(std::memory_order_acquire) == 0; }
  std::size_t received_bytes(std::size_t op) const override { return received_[op]; }

  /// Op `op` is complete; a receive got `bytes`.
  void complete(std::size_t op, std::size_t bytes) {
    received_[op] = bytes;
    left_.fetch_sub(1, std::memory_order_acq_rel);
  }

 private:
  std::atomic<std::size_t> left_;
  std::vector<std::size_t> received_;
};

/// Where the host itself copies.
inline constexpr Exec kHostPlace{};

/// A message on its way in.
class Inbound {
 public:
  std::size_t bytes() const { return bytes_; }
  /// Where its bytes go, all of them: the receive's room, or memory of its own, the host's. Ask again before each
  /// write: a receive may be cancelled in between, and what it had got is then of no use to anybody.
  std::span<std::byte> target();
  /// Whether target() lies on a device, as long as nothing is cancelled.
  bool on_device() const { return kept_ == nullptr && place_->backend == Backend::cuda; }
  /// Copies to `offset` of target(), from the host or from where `source` copies. Waits for a device's copy: `bytes`
  /// may be used again at once.
  void write(std::size_t offset, std::span<const std::byte> bytes, const Exec& source = kHostPlace);
  /// True while a receive waits for the rest of it.
  bool awaited() const { return !whole_ && !group_.expired(); }
  /// True while it goes to a receive of `group`.
  bool goes_to(const PendingGroup& group) const { return group_.lock().get() == &group; }

 private:
  friend class Matcher;
  Tag tag_{};
  std::size_t bytes_ = 0;
  std::unique_ptr<std::byte[]> kept_;  // when it came before its receive, or its receive was cancelled
  std::span<std::byte> room_;
  const Exec* place_ = &kHostPlace;  // of the room
  std::weak_ptr<PendingGroup> group_;
  std::size_t op_ = 0;
  bool whole_ = false;
};

class Matcher {
 public:
  /// Keeps at most `cap_bytes` of one peer's messages that nobody has asked for.
  Matcher(std::uint32_t ranks, std::size_t cap_bytes) : cap_bytes_(cap_bytes), peers_(ranks) {}

  /// Op `index` of `group` is this receive, whose room lies where `place`, which outlives this, copies. Throws
  /// WireError if the message that waits for it is larger than its room.
  void post(const Op& receive, const std::shared_ptr<PendingGroup>& group, std::size_t index,
            const Exec& place = kHostPlace);

  /// A message of `peer` begins to arrive. Throws WireError when it is larger than its receive's room or than what may
  /// be kept.
  std::shared_ptr<Inbound> begin(std::uint32_t peer, Tag tag, std::size_t bytes);
  /// All of it is in its target.
  void finish(Inbound& message);

  /// True if a message of `peer` with this tag would find a receive posted.
  bool expects(std::uint32_t peer, Tag tag) const;
  /// Bytes of `peer` that nobody has asked for.
  std::size_t kept_bytes(std::uint32_t peer) const { return peers_[peer].kept_bytes; }

  /// True while a receive from `peer` waits for a message that has not begun to arrive.
  bool waits_for(std::uint32_t peer);

 private:
  struct Posted {
    Tag tag;
    std::span<std::byte> room;
    const Exec* place;
    std::weak_ptr<PendingGroup> group;
    std::size_t op;
  };
  struct Peer {
    std::vector<Posted> posted;                  // in posting order
    std::vector<std::shared_ptr<Inbound>> kept;  // in arrival order
    std::size_t kept_bytes = 0;
  };
  static void check_room(std::uint32_t peer, std::size_t bytes, std::size_t room);

  const std::size_t cap_bytes_;
  std::vector<Peer> peers_;
};

}  // namespace tw
