#include "collectives/rendezvous/store_bootstrap.hpp"

#include <poll.h>

#include <algorithm>

#include "kernels/base/check.hpp"

namespace tw {
namespace {

constexpr double kRetrySeconds = 0.05;  // until the store may have opened

}  // namespace

StoreBootstrap::StoreBootstrap(const LaunchInfo& launch, const Address& address, Deadline deadline)
    : rank_(launch.rank), ranks_(launch.ranks), address_(address) {
  TW_CHECK(launch.run_id.size() <= kMaxRunIdBytes, UsageError, "a run id of ", launch.run_id.size(), " bytes; at most ",
           kMaxRunIdBytes);
  while (!enter(launch, deadline)) {
    socket_.close();
    if (deadline.passed())
      throw PeerError(0, detail::concat("rank 0 did not open the rendezvous at ", address_.text(),
                                        " by the deadline: rank ", rank_, " could not meet it there"));
    wait_any({}, std::min(deadline, Deadline::in(kRetrySeconds)));
  }
}

// False if there is nobody yet who answers.
bool StoreBootstrap::enter(const LaunchInfo& launch, Deadline deadline) {
  socket_ = begin_connect(address_);
  Wanted wanted{&socket_, POLLOUT};
  if (!wait_any({&wanted, 1}, deadline) || connect_error(socket_) != 0) return false;
  set_no_delay(socket_);
  StoreHello hello;
  hello.rank = rank_;
  hello.ranks = ranks_;
  hello.run_id_bytes = static_cast<std::uint32_t>(launch.run_id.size());
  StoreReply reply;
  if (write(std::as_bytes(std::span(&hello, 1)), deadline) != Outcome::done ||
      write(std::as_bytes(std::span(launch.run_id)), deadline) != Outcome::done ||
      read(std::as_writable_bytes(std::span(&reply, 1)), deadline) != Outcome::done)
    return false;
  if (reply.answer == StoreAnswer::again) return false;
  const std::string text = read_text(reply, deadline);
  if (reply.answer == StoreAnswer::failed) throw PeerError(reply.culprit, text);
  TW_CHECK(reply.answer == StoreAnswer::welcome, UsageError, "the rendezvous at ", address_.text(), " refuses rank ",
           rank_, ": ", text);
  return true;
}

std::vector<std::vector<std::byte>> StoreBootstrap::all_gather(std::span<const std::byte> blob, std::string_view what,
                                                               Deadline deadline) {
  TW_CHECK(blob.size() <= kMaxValueBytes, UsageError, "a blob of ", blob.size(), " bytes; at most ", kMaxValueBytes);
  const std::string round = std::to_string(exchanges_++) + "/";
  request({StoreVerb::set, 0, 0, 0}, round + std::to_string(rank_), blob, deadline);
  std::vector<std::vector<std::byte>> gathered;
  for (std::uint32_t rank = 0; rank < ranks_; ++rank)
    gathered.push_back(get(round + std::to_string(rank), rank, what, deadline));
  return gathered;
}

std::vector<std::byte> StoreBootstrap::get(const std::string& key, std::uint32_t from, std::string_view what,
                                           Deadline deadline) {
  request({StoreVerb::get, 0, 0, 0}, key, {}, deadline);
  StoreReply reply;
  const Outcome outcome = read(std::as_writable_bytes(std::span(&reply, 1)), deadline);
  if (outcome == Outcome::late) fail_late(from, what);
  if (outcome == Outcome::ended) throw PeerError(0, "rank 0 closed the rendezvous before all were connected");
  if (reply.answer == StoreAnswer::failed) throw PeerError(reply.culprit, read_text(reply, deadline));
  TW_CHECK(reply.answer == StoreAnswer::value && reply.bytes <= kMaxValueBytes, WireError, "the rendezvous at ",
           address_.text(), " answered with something else");
  std::vector<std::byte> value(reply.bytes);
  if (read(value, deadline) != Outcome::done) fail_late(from, what);
  return value;
}

void StoreBootstrap::fail_late(std::uint32_t from, std::string_view what) const {
  throw PeerError(from, detail::concat("rank ", from, " of ", ranks_, " did not come to the ", what, " at ",
                                       address_.text(), " by the deadline"));
}

void StoreBootstrap::leave(Deadline deadline) { request({StoreVerb::bye, 0, 0, 0}, {}, {}, deadline); }

void StoreBootstrap::fail(std::uint32_t culprit, const std::string& why) noexcept {
  try {
    constexpr double kSeconds = 0.5;
    request({StoreVerb::fail, 0, 0, culprit}, {}, std::as_bytes(std::span(why)), Deadline::in(kSeconds));
  } catch (...) {  // whoever is left finds this rank gone
  }
}

void StoreBootstrap::request(StoreRequest header, std::string_view key, std::span<const std::byte> value,
                             Deadline deadline) {
  header.key_bytes = static_cast<std::uint32_t>(key.size());
  header.value_bytes = static_cast<std::uint32_t>(value.size());
  std::vector<std::byte> bytes(sizeof header + key.size() + value.size());
  std::memcpy(bytes.data(), &header, sizeof header);
  const auto rest = std::span(bytes).subspan(sizeof header);
  std::ranges::copy(std::as_bytes(std::span(key)), rest.begin());
  std::ranges::copy(value, rest.subspan(key.size()).begin());
  // An end shows when the answer is read: what was said before it is worth reading.
  if (write(bytes, deadline) == Outcome::late)
    throw PeerError(
        0, detail::concat("rank 0 took nothing at the rendezvous at ", address_.text(), " until the deadline"));
}

StoreBootstrap::Outcome StoreBootstrap::write(std::span<const std::byte> bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const auto written = write_some(socket_, bytes);
    if (!written) return Outcome::ended;
    bytes = bytes.subspan(*written);
    Wanted wanted{&socket_, POLLOUT};
    if (!bytes.empty() && !wait_any({&wanted, 1}, deadline) && deadline.passed()) return Outcome::late;
  }
  return Outcome::done;
}

StoreBootstrap::Outcome StoreBootstrap::read(std::span<std::byte> room, Deadline deadline) {
  while (!room.empty()) {
    Wanted wanted{&socket_, POLLIN};
    if (!wait_any({&wanted, 1}, deadline)) {
      if (deadline.passed()) return Outcome::late;
      continue;
    }
    const auto got = read_some(socket_, room);
    if (!got) return Outcome::ended;
    room = room.subspan(*got);
  }
  return Outcome::done;
}

std::string StoreBootstrap::read_text(const StoreReply& reply, Deadline deadline) {
  constexpr std::uint32_t kMost = 64 * 1024;
  std::string text(std::min(reply.bytes, kMost), '\0');
  if (read(std::as_writable_bytes(std::span(text)), deadline) != Outcome::done) return "(and no reason)";
  return text;
}

}  // namespace tw
