// Small collectives beside the all-reduce: all-gather of equal records (votes, barriers, small dense reductions) and
// broadcast. Their messages open with a 16-byte header, little-endian: magic, communicator, sequence, CRC-32C of all
// that follows and of the three fields before.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "collectives/algorithm.hpp"
#include "collectives/group.hpp"
#include "collectives/tag.hpp"

namespace tw {

inline constexpr std::size_t kSmallHeaderBytes = 16;

/// Names one small collective: calls of one kind count up alike on every rank.
struct SmallId {
  MessageKind kind;
  std::uint32_t sequence;
};

/// Every rank's record, by rank, on every rank: one direct message to each peer. Costs (ranks - 1) messages of
/// 16 + bytes each, one step.
class AllGather final : public Operation {
 public:
  /// `ready` tells when `record` may be asked for; it then gives this rank's record of `bytes`.
  struct Source {
    std::size_t bytes;
    std::function<bool()> ready;
    std::function<void(std::span<std::byte>)> record;
  };
  AllGather(Group& group, SmallId id, std::string what, Source source);

  Progress advance() override;
  Wait waiting_for() const override;

  /// ranks x bytes, once complete.
  std::span<const std::byte> gathered() const { return gathered_; }
  std::span<const std::byte> record_of(std::uint32_t rank) const {
    return gathered().subspan(rank * source_.bytes, source_.bytes);
  }

 private:
  void start();

  Group& group_;
  const SmallId id_;
  const std::string what_;
  const Source source_;
  std::vector<std::byte> gathered_;
  bool started_ = false;
  std::vector<Message> sends_;
  std::vector<Message> receives_;  // by rank
};

/// The root's bytes on every rank, down a binomial tree, in pieces of 1 MiB with a few on the way at once. A rank sends
/// at most ceil(log2 ranks) times 16 + bytes a piece.
class Broadcast final : public Operation {
 public:
  Broadcast(Group& group, SmallId id, std::uint32_t root, std::span<std::byte> data);

  Progress advance() override;
  Wait waiting_for() const override;

 private:
  static constexpr std::size_t kPieceBytes = 1u << 20;
  static constexpr std::size_t kWindow = 4;  // pieces on the way at once

  std::span<std::byte> piece(std::size_t index) const;
  void forward(std::size_t index, std::span<const std::byte> values);
  bool receive_some();
  bool send_some();

  Group& group_;
  const SmallId id_;
  const std::span<std::byte> data_;
  const std::size_t pieces_;
  std::uint32_t parent_;  // this rank itself at the root
  std::vector<std::uint32_t> children_;
  std::deque<Message> receives_;
  std::deque<Message> sends_;
  std::size_t posted_ = 0;     // receives posted so far
  std::size_t forwarded_ = 0;  // pieces that are here and were sent on
};

}  // namespace tw
