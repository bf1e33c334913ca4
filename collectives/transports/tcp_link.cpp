#include "collectives/transports/tcp_link.hpp"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "kernels/base/check.hpp"

namespace tw {
namespace {

constexpr std::size_t kExpressBytes = 4096;     // the largest message that goes before larger ones
constexpr std::size_t kBatchBytes = 64 * 1024;  // what is decided on before it is known what comes next
constexpr std::size_t kParts = 32;
constexpr int kCallsAtOnce = 8;  // then the other links have their turn

}  // namespace

void TcpLink::send(Tag tag, std::span<const std::byte> bytes, std::shared_ptr<PendingGroup> group, std::size_t op) {
  Outgoing message;
  message.header.bytes = static_cast<std::uint32_t>(bytes.size());
  message.header.tag = static_cast<std::uint64_t>(tag);
  message.bytes = bytes;
  message.group = std::move(group);
  message.op = op;
  const auto same_tag = [&](const Outgoing& queued) { return queued.header.tag == message.header.tag; };
  const bool express = bytes.size() <= kExpressBytes && std::none_of(bulk_.begin(), bulk_.end(), same_tag);
  (express ? express_ : bulk_).push_back(std::move(message));
}

void TcpLink::send_control(TcpKind kind, std::uint64_t tag, std::string_view text) {
  Outgoing message;
  message.text = text.substr(0, kMaxAbortReasonBytes);
  message.header.kind = kind;
  message.header.bytes = static_cast<std::uint32_t>(message.text.size());
  message.header.tag = tag;
  express_.push_front(std::move(message));
  express_.front().bytes = std::as_bytes(std::span(express_.front().text));
}

void TcpLink::drop_queue() {
  express_.clear();
  bulk_.clear();
  const std::ptrdiff_t begun = written_ > 0 ? 1 : 0;
  batch_.erase(batch_.begin() + std::min<std::ptrdiff_t>(begun, std::ssize(batch_)), batch_.end());
}

bool TcpLink::owes() const {
  const auto owed = [](const Outgoing& message) { return message.group != nullptr; };
  return !bulk_.empty() || std::any_of(batch_.begin(), batch_.end(), owed) ||
         std::any_of(express_.begin(), express_.end(), owed);
}

void TcpLink::fill_batch() {
  std::size_t bytes = 0;
  for (const Outgoing& message : batch_) bytes += sizeof(TcpHeader) + message.bytes.size();
  while (bytes < kBatchBytes && batch_.size() < kParts / 2) {
    std::deque<Outgoing>& queue = express_.empty() ? bulk_ : express_;
    if (queue.empty()) return;
    batch_.push_back(std::move(queue.front()));
    queue.pop_front();
    Outgoing& message = batch_.back();
    if (message.group == nullptr) message.bytes = std::as_bytes(std::span(message.text));  // the text has moved
    bytes += sizeof(TcpHeader) + message.bytes.size();
  }
}

// What is left of the batch, as parts to write.
std::size_t TcpLink::gather(std::span<iovec> parts) {
  std::size_t count = 0, skip = written_;
  const auto add = [&](const void* data, std::size_t bytes) {
    const std::size_t skipped = std::min(skip, bytes);
    skip -= skipped;
    if (bytes == skipped) return;
    parts[count++] = {const_cast<std::byte*>(static_cast<const std::byte*>(data)) + skipped, bytes - skipped};
  };
  for (const Outgoing& message : batch_) {
    add(&message.header, sizeof message.header);
    add(message.bytes.data(), message.bytes.size());
  }
  return count;
}

// Takes what was written off the batch; returns the messages that are complete.
std::size_t TcpLink::account(std::size_t written) {
  std::size_t completed = 0;
  written_ += written;
  while (!batch_.empty() && written_ >= sizeof(TcpHeader) + batch_.front().bytes.size()) {
    written_ -= sizeof(TcpHeader) + batch_.front().bytes.size();
    if (batch_.front().group != nullptr) {
      batch_.front().group->complete(batch_.front().op, 0);
      ++completed;
    }
    batch_.pop_front();
  }
  return completed;
}

TcpLink::Moved TcpLink::write() {
  Moved moved;
  for (int calls = 0; calls < kCallsAtOnce && !broken_ && end_ == End::open; ++calls) {
    fill_batch();
    if (batch_.empty()) break;
    std::array<iovec, kParts> parts;
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = gather(parts);
    const ssize_t written = sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (written < 0) {
      // What the peer said before it went is still to be read; the end shows there.
      broken_ = errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
      break;
    }
    moved.bytes += static_cast<std::size_t>(written);
    moved.completed += account(static_cast<std::size_t>(written));
  }
  return moved;
}

std::span<std::byte> TcpLink::target() {
  if (abort_) return std::as_writable_bytes(std::span(abort_text_)).subspan(arrived_);
  if (inbound_ != nullptr) return inbound_->target().subspan(arrived_);
  return {};
}

TcpLink::Moved TcpLink::read(Matcher& matcher) {
  Moved moved;
  for (int reads = 0; reads < kCallsAtOnce && end_ == End::open; ++reads) {
    const std::span<std::byte> direct = target();
    if (staged_begin_ != 0) {
      std::memmove(staged_.data(), staged_.data() + staged_begin_, staged_end_ - staged_begin_);
      staged_end_ -= std::exchange(staged_begin_, 0);
    }
    const std::span<std::byte> rest = std::span(staged_).subspan(staged_end_);
    const iovec parts[2] = {{direct.data(), direct.size()}, {rest.data(), rest.size()}};
    const ssize_t got = direct.empty() ? readv(socket_.get(), parts + 1, 1) : readv(socket_.get(), parts, 2);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) break;
    if (got <= 0) {
      close(got == 0 ? "closed its connection" : std::system_category().message(errno));
      break;
    }
    moved.bytes += static_cast<std::size_t>(got);
    moved.completed += consume(matcher, static_cast<std::size_t>(got), direct.size());
    if (static_cast<std::size_t>(got) < direct.size() + rest.size()) break;  // no more is there
  }
  return moved;
}

// `arrived` bytes came, the first `room` of them in the message's own memory, the rest staged.
std::size_t TcpLink::consume(Matcher& matcher, std::size_t arrived, std::size_t room) {
  const std::size_t direct = std::min(arrived, room);
  arrived_ += direct;
  staged_end_ += arrived - direct;
  return finish_if_whole(matcher) + parse(matcher);
}

std::size_t TcpLink::finish_if_whole(Matcher& matcher) {
  if (abort_ && arrived_ == abort_text_.size())
    throw PeerError(static_cast<std::uint32_t>(abort_->tag), detail::concat("rank ", peer_, " gave up: ", abort_text_));
  if (inbound_ == nullptr || arrived_ < inbound_->bytes()) return 0;
  matcher.finish(*inbound_);
  inbound_.reset();
  arrived_ = 0;
  return 1;
}

std::size_t TcpLink::parse(Matcher& matcher) {
  std::size_t completed = 0;
  while (staged_begin_ < staged_end_) {
    if (inbound_ == nullptr && !abort_ && !take_header(matcher)) break;
    const std::span<std::byte> room = target();
    const std::size_t bytes = std::min(room.size(), staged_end_ - staged_begin_);
    if (bytes > 0) std::memcpy(room.data(), staged_.data() + staged_begin_, bytes);
    staged_begin_ += bytes;
    arrived_ += bytes;
    completed += finish_if_whole(matcher);
  }
  return completed;
}

// False if the header is not whole yet.
bool TcpLink::take_header(Matcher& matcher) {
  TcpHeader header;
  if (staged_end_ - staged_begin_ < sizeof header) return false;
  std::memcpy(&header, staged_.data() + staged_begin_, sizeof header);
  staged_begin_ += sizeof header;
  TW_CHECK(header.magic == kTcpMagic && header.reserved == 0, WireError, "bytes from rank ", peer_,
           " that are no message: magic ", header.magic);
  TW_CHECK(!said_goodbye_, WireError, "rank ", peer_, " sent something after its goodbye");
  arrived_ = 0;
  if (header.kind != TcpKind::message) {
    take_control(header);
    return true;
  }
  TW_CHECK(header.bytes <= kMaxTcpMessageBytes, WireError, "rank ", peer_, " announced a message of ", header.bytes,
           " bytes; at most ", kMaxTcpMessageBytes);
  inbound_ = matcher.begin(peer_, Tag{header.tag}, header.bytes);
  return true;
}

void TcpLink::take_control(const TcpHeader& header) {
  const std::size_t most = header.kind == TcpKind::abort ? kMaxAbortReasonBytes : 0;
  TW_CHECK(header.kind <= TcpKind::abort && header.bytes <= most, WireError, "rank ", peer_, " sent a message of kind ",
           static_cast<int>(header.kind), " with ", header.bytes, " bytes; at most ", most);
  if (header.kind == TcpKind::goodbye) said_goodbye_ = true;
  if (header.kind != TcpKind::abort) return;
  TW_CHECK(header.tag < ranks_, WireError, "rank ", peer_, " blames rank ", header.tag, "; ranks are 0 to ",
           ranks_ - 1);
  abort_ = header;
  abort_text_.resize(header.bytes);
}

void TcpLink::close(std::string reason) {
  cut_off_ = inbound_ != nullptr || abort_ || staged_begin_ != staged_end_;
  end_ = said_goodbye_ && !cut_off_ ? End::left : End::lost;
  reason_ = std::move(reason);
  socket_.close();
}

void TcpLink::shut_down() {
  if (end_ == End::open) ::shutdown(socket_.get(), SHUT_WR);
}

std::optional<std::size_t> TcpLink::drain() {
  if (end_ != End::open) return std::nullopt;
  std::size_t bytes = 0;
  for (int reads = 0; reads < kCallsAtOnce; ++reads) {
    const ssize_t got = recv(socket_.get(), staged_.data(), staged_.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) break;
    if (got <= 0) {
      close("closed");
      return std::nullopt;
    }
    bytes += static_cast<std::size_t>(got);
  }
  return bytes;
}

std::size_t TcpLink::unacknowledged() const {
  int bytes = 0;
  if (end_ != End::open || ioctl(socket_.get(), SIOCOUTQ, &bytes) != 0) return 0;
  return static_cast<std::size_t>(bytes);
}

}  // namespace tw
