// One connection to one peer: what is queued for it, and what is arriving from it.
//
// Small messages go before large ones that have not begun, so that a vote does not wait behind payloads; messages with
// the same tag keep their order. Large messages are read from the socket straight into their receive's memory.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "collectives/net/socket.hpp"
#include "collectives/transports/matcher.hpp"
#include "collectives/transports/tcp_wire.hpp"

struct iovec;

namespace tw {

class TcpLink {
 public:
  /// How the peer ended the connection, if it did: with a goodbye, or not.
  enum class End : std::uint8_t { open, left, lost };

  /// A connected, non-blocking socket to `peer`, one of `ranks`.
  TcpLink(Descriptor socket, std::uint32_t peer, std::uint32_t ranks)
      : socket_(std::move(socket)), peer_(peer), ranks_(ranks) {}

  const Descriptor& socket() const { return socket_; }
  End end() const { return end_; }
  /// Why it is lost.
  const std::string& reason() const { return reason_; }

  /// Queues op `op` of `group`. `bytes` must stay until it is complete.
  void send(Tag tag, std::span<const std::byte> bytes, std::shared_ptr<PendingGroup> group, std::size_t op);
  /// Queues a message of the transport itself, before all others.
  void send_control(TcpKind kind, std::uint64_t tag, std::string_view text);
  /// Forgets what is queued and has not begun to leave.
  void drop_queue();
  /// Touches no message of others any more; one that is partly written stays so.
  void stop_writing() { broken_ = true; }

  /// True while something is queued, or part of it has left.
  bool busy() const { return !batch_.empty() || !express_.empty() || !bulk_.empty(); }
  /// True while there is something to write, and a way.
  bool wants_to_write() const { return busy() && !broken_ && end_ == End::open; }
  /// True while a message for the peer is not complete.
  bool owes() const;
  /// True in the middle of a message for which a receive waits, or of an abort.
  bool awaited() const { return abort_ || (inbound_ != nullptr && inbound_->awaited()); }
  /// True if the connection ended in the middle of a message.
  bool cut_off() const { return cut_off_; }

  struct Moved {
    std::size_t bytes = 0;
    std::size_t completed = 0;  ///< messages
  };
  /// Writes what the system takes now, within a budget.
  Moved write();
  /// Reads what is there, within a budget. At the connection's end closes the socket and sets `end`. Throws WireError
  /// for bytes that are no message, PeerError for the peer's abort.
  Moved read(Matcher& matcher);

  /// No more will be sent; what is queued is given up.
  void shut_down();
  /// Throws away what arrives, and tells how much that was; nothing once the connection has ended.
  std::optional<std::size_t> drain();
  /// Bytes that the peer's system has not acknowledged.
  std::size_t unacknowledged() const;

 private:
  struct Outgoing {
    TcpHeader header;
    std::span<const std::byte> bytes;
    std::shared_ptr<PendingGroup> group;  // null: a message of the transport itself
    std::size_t op = 0;
    std::string text;  // of an abort
  };

  void fill_batch();
  std::size_t gather(std::span<iovec> parts);
  std::size_t account(std::size_t written);
  std::size_t parse(Matcher& matcher);
  bool take_header(Matcher& matcher);
  void take_control(const TcpHeader& header);
  std::span<std::byte> target();
  std::size_t finish_if_whole(Matcher& matcher);
  std::size_t consume(Matcher& matcher, std::size_t arrived, std::size_t room);
  void close(std::string reason);

  Descriptor socket_;
  const std::uint32_t peer_, ranks_;
  End end_ = End::open;
  std::string reason_;
  bool cut_off_ = false;
  bool said_goodbye_ = false;  // the peer did

  std::deque<Outgoing> express_, bulk_;  // small and large messages, not begun
  std::deque<Outgoing> batch_;           // on their way, in this order
  std::size_t written_ = 0;              // of the first of the batch, header included
  bool broken_ = false;                  // nothing can be written any more

  std::array<std::byte, 16384> staged_;  // headers and small messages
  std::size_t staged_begin_ = 0, staged_end_ = 0;
  std::shared_ptr<Inbound> inbound_;  // the message that is arriving
  std::size_t arrived_ = 0;           // of it, or of the abort
  std::optional<TcpHeader> abort_;    // the abort that is arriving
  std::string abort_text_;
};

}  // namespace tw
