// What the contract does not say of tcp: bytes from peers and strangers that follow no rule, the order of messages in
// one link, and sleep.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <ctime>
#include <thread>

#include <tightwire/error.hpp>

#include "collectives/thread_bootstrap.hpp"
#include "collectives/transports/table.hpp"
#include "collectives/transports/tcp_link.hpp"
#include "tests/support/messages.hpp"
#include "tests/support/net.hpp"
#include "tests/support/ranks.hpp"

namespace tw::test {
namespace {

std::string bytes_of(const auto& value) { return {reinterpret_cast<const char*>(&value), sizeof value}; }

TcpHeader header(TcpKind kind, std::uint32_t bytes, std::uint64_t tag) { return {kTcpMagic, kind, 0, bytes, tag}; }

void say(const Descriptor& socket, const std::string& bytes) {
  ASSERT_EQ(write_some(socket, std::as_bytes(std::span(bytes))), bytes.size());
}

std::string hear(const Descriptor& socket, std::size_t bytes) {
  std::string heard(bytes, '\0');
  for (std::size_t got = 0; got < bytes;) {
    Wanted readable{&socket, POLLIN};
    wait_any({&readable, 1}, Deadline::in(30));
    got += read_some(socket, std::as_writable_bytes(std::span(heard)).subspan(got)).value_or(bytes - got);
  }
  return heard;
}

// Rank 1 of 2 over tcp, and in the place of rank 0 a bare socket.
class BarePeer : public testing::Test {
 protected:
  void SetUp() override {
    const auto meeting = ThreadBootstrap::meeting(2);
    std::jthread rank([&] {
      ThreadBootstrap bootstrap(meeting, 1);
      transport_ = connect_over(bootstrap, {.transport = "tcp:heartbeat_ms=50,silence_ms=200,keep_mib=1"});
    });
    const Descriptor listener = listen_at(loopback(), 1);
    const TcpToken token{std::byte{7}};
    ThreadBootstrap bootstrap(meeting, 0);
    const std::uint16_t port = local_address(listener).port();
    const std::string own = bytes_of(token) + bytes_of(port) + "127.0.0.1";
    const auto blobs = bootstrap.all_gather(std::as_bytes(std::span(own)), "test", Deadline::in(30));
    Wanted readable{&listener, POLLIN};
    ASSERT_TRUE(wait_any({&readable, 1}, Deadline::in(30)));
    socket_ = accept_from(listener);
    TcpHello expected;
    expected.ranks = 2;
    expected.from = 1;
    expected.token = token;
    EXPECT_EQ(hear(socket_, sizeof expected), bytes_of(expected));
    TcpHello answer;
    answer.ranks = 2;
    answer.to = 1;
    std::copy_n(blobs[1].begin(), answer.token.size(), answer.token.begin());
    say(socket_, bytes_of(answer));
  }

  template <class ErrorType>
  std::string failure() {
    Speaker speaker(*transport_);
    try {
      speaker.run_until_failure();
    } catch (const ErrorType& error) {
      return error.what();
    }
    return "";
  }

  TransportPtr transport_;
  Descriptor socket_;
};

TEST_F(BarePeer, AMessageLargerThanAnyIsRefused) {
  say(socket_, bytes_of(header(TcpKind::message, 0xffffffff, 1)));
  EXPECT_EQ(failure<WireError>(), "rank 0 announced a message of 4294967295 bytes; at most 1073741824");
}

TEST_F(BarePeer, MoreThanIsKeptUnaskedIsRefused) {
  say(socket_, bytes_of(header(TcpKind::message, 1, 1)) + "x" + bytes_of(header(TcpKind::message, 1u << 24, 2)));
  EXPECT_EQ(failure<WireError>(),
            "rank 0 sent 16777216 bytes that nobody asked for; 1 of at most 16777216 are kept already");
}

TEST_F(BarePeer, IsNotReadFromWhileItRunsAhead) {
  const std::string message = bytes_of(header(TcpKind::message, 1 << 20, 1)) + std::string(1 << 20, 'x');
  std::size_t written = 0;
  for (int refusals = 0; refusals < 100;
       transport_->progress(Deadline::in(0))) {  // read, it were too much after 16 MiB
    const auto part = std::as_bytes(std::span(message)).subspan(written % message.size());
    const std::size_t taken = write_some(socket_, part).value_or(0);
    written += taken;
    refusals = taken == 0 ? refusals + 1 : 0;
    ASSERT_LT(written, std::size_t{1} << 30);
  }
}

TEST_F(BarePeer, IsReadFromInTheMiddleOfAMessageThatIsAwaited) {
  Speaker speaker(*transport_);
  say(socket_, bytes_of(header(TcpKind::message, 1 << 20, 1)));
  for (int part = 0; part < 64; ++part) {
    say(socket_, std::string(1 << 14, 'x'));
    transport_->progress(Deadline::in(0));
  }
  Bytes room(100);
  const Request receive = speaker.receive(0, 2, room);
  say(socket_, bytes_of(header(TcpKind::message, 100, 2)) + std::string(50, 'y'));
  for (int looks = 0; looks < 10; ++looks) transport_->progress(Deadline::in(0));
  say(socket_, std::string(50, 'y'));
  speaker.finish(receive);
  EXPECT_EQ(room, Bytes(100, std::byte{'y'}));
}

TEST_F(BarePeer, BytesThatAreNoMessageAreRefused) {
  say(socket_, "GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(failure<WireError>(), "bytes from rank 0 that are no message: magic 17735");
}

TEST_F(BarePeer, AMessageOfUnknownKindIsRefused) {
  say(socket_, bytes_of(header(TcpKind{9}, 0, 1)));
  EXPECT_EQ(failure<WireError>(), "rank 0 sent a message of kind 9 with 0 bytes; at most 0");
}

TEST_F(BarePeer, AHeartbeatWithBytesIsRefused) {
  say(socket_, bytes_of(header(TcpKind::heartbeat, 1, 0)));
  EXPECT_EQ(failure<WireError>(), "rank 0 sent a message of kind 2 with 1 bytes; at most 0");
}

TEST_F(BarePeer, ALongAbortIsRefused) {
  say(socket_, bytes_of(header(TcpKind::abort, 1025, 0)));
  EXPECT_EQ(failure<WireError>(), "rank 0 sent a message of kind 4 with 1025 bytes; at most 1024");
}

TEST_F(BarePeer, AnAbortThatBlamesNobodyIsRefused) {
  say(socket_, bytes_of(header(TcpKind::abort, 0, 2)));
  EXPECT_EQ(failure<WireError>(), "rank 0 blames rank 2; ranks are 0 to 1");
}

TEST_F(BarePeer, NothingFollowsAGoodbye) {
  say(socket_, bytes_of(header(TcpKind::goodbye, 0, 0)) + bytes_of(header(TcpKind::heartbeat, 0, 0)));
  EXPECT_EQ(failure<WireError>(), "rank 0 sent something after its goodbye");
}

TEST_F(BarePeer, AnEndInTheMiddleOfAMessageIsACrash) {
  say(socket_, bytes_of(header(TcpKind::message, 100, 1)) + "half of it");
  socket_.close();
  EXPECT_EQ(failure<PeerError>(),
            "rank 0 is gone without a goodbye (closed its connection) while rank 1 was waiting for a message of it");
}

TEST_F(BarePeer, ACrashConcernsOnlyWhoWaits) {
  say(socket_, bytes_of(header(TcpKind::message, 5, 1)) + "hello");
  socket_.close();
  Speaker speaker(*transport_);
  Bytes room(5);
  speaker.finish(speaker.receive(0, 1, room));
  while (!transport_->silent_peer()) transport_->progress(Deadline::in(0.02));
  EXPECT_EQ(transport_->silent_peer(), 0u);
  const Request never = speaker.receive(0, 2, room);
  EXPECT_NE(failure<PeerError>().find("rank 0 is gone without a goodbye"), std::string::npos);
}

TEST_F(BarePeer, APeerWithoutHeartbeatsFallsSilent) {
  while (!transport_->silent_peer()) transport_->progress(Deadline::in(0.02));
  EXPECT_EQ(transport_->silent_peer(), 0u);
  EXPECT_EQ(hear(socket_, 16), bytes_of(header(TcpKind::heartbeat, 0, 0)));
  say(socket_, bytes_of(header(TcpKind::heartbeat, 0, 0)));
  while (transport_->silent_peer()) transport_->progress(Deadline::in(0.02));
}

TEST_F(BarePeer, HeaderAndBodyMayComeByteByByte) {
  Speaker speaker(*transport_);
  Bytes room(3);
  const Request receive = speaker.receive(0, 6, room);
  for (const char byte : bytes_of(header(TcpKind::message, 3, 6)) + "abc") {
    say(socket_, std::string(1, byte));
    transport_->progress(Deadline::in(0.001));
  }
  speaker.finish(receive);
  EXPECT_EQ(room, (Bytes{std::byte{'a'}, std::byte{'b'}, std::byte{'c'}}));
}

TEST_F(BarePeer, WaitingSleeps) {
  const auto spent = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  };
  const double before = spent();
  const Deadline deadline = Deadline::in(0.5);
  while (!deadline.passed()) transport_->progress(deadline);
  EXPECT_LT(spent() - before, 0.05 * 0.5);
}

// Hands invitations on to a visitor before it lets anybody connect.
class SpiedBootstrap final : public Bootstrap {
 public:
  using Visit = std::function<void(std::uint32_t rank, const Address& address)>;
  SpiedBootstrap(ThreadBootstrap inner, Visit visit) : inner_(std::move(inner)), visit_(std::move(visit)) {}
  std::uint32_t rank() const override { return inner_.rank(); }
  std::uint32_t ranks() const override { return inner_.ranks(); }
  std::vector<Bytes> all_gather(std::span<const std::byte> blob, std::string_view what, Deadline deadline) override {
    std::uint16_t port = 0;
    std::memcpy(&port, blob.data() + sizeof(TcpToken), sizeof port);
    const std::string host(reinterpret_cast<const char*>(blob.data()) + 18, blob.size() - 18);
    visit_(rank(), *Address::parse(host, port));
    return inner_.all_gather(blob, what, deadline);
  }

 private:
  ThreadBootstrap inner_;
  Visit visit_;
};

TEST(TcpConnect, StrangersAreDroppedAndMembersConnect) {
  constexpr std::uint32_t kRanks = 3;
  const auto meeting = ThreadBootstrap::meeting(kRanks);
  std::vector<std::vector<Descriptor>> strangers(kRanks);
  on_ranks(kRanks, [&](std::uint32_t rank) {
    SpiedBootstrap bootstrap(ThreadBootstrap(meeting, rank), [&](std::uint32_t r, const Address& address) {
      TcpHello forged;
      forged.ranks = kRanks;
      forged.from = kRanks - 1;
      forged.to = r;  // all but the token is right
      strangers[r].push_back(stranger(address, bytes_of(forged)));
      strangers[r].push_back(stranger(address, std::string(4096, 'x')));
      for (int i = 0; i < 40; ++i) strangers[r].push_back(stranger(address, ""));
    });
    const TransportPtr transport = connect_over(bootstrap, {.transport = "tcp", .interface = "lo"});
    Speaker speaker(*transport);
    for (std::uint32_t peer = 0; peer < kRanks; ++peer) {
      Bytes none, room;
      const Request receive = speaker.receive(peer, 1, room);
      speaker.finish(speaker.send(peer, 1, none));
      speaker.finish(receive);
    }
  });
  for (const auto& dropped : strangers)
    for (const Descriptor& socket : dropped) EXPECT_TRUE(closed_by(socket, Deadline::in(30)));
}

TEST(TcpConnect, NamesARankThatDoesNotConnect) {
  const auto meeting = ThreadBootstrap::meeting(2);
  const Descriptor deaf = listen_at(loopback(), 1);  // takes the connection and says nothing
  std::jthread other([&] {
    ThreadBootstrap bootstrap(meeting, 0);
    const std::uint16_t port = local_address(deaf).port();
    const std::string own = bytes_of(TcpToken{}) + bytes_of(port) + "127.0.0.1";
    bootstrap.all_gather(std::as_bytes(std::span(own)), "test", Deadline::in(30));
  });
  ThreadBootstrap bootstrap(meeting, 1);
  try {
    connect_over(bootstrap, {.transport = "tcp", .deadline_seconds = 0.1});
    ADD_FAILURE() << "connected to the deaf";
  } catch (const PeerError& error) {
    EXPECT_EQ(error.rank(), 0u);
    EXPECT_NE(std::string(error.what()).find("were not connected by the deadline"), std::string::npos) << error.what();
  }
}

TEST(Tcp, WhatARankSentAheadComesInOrder) {
  constexpr std::uint32_t kMessages = 32;
  constexpr std::size_t kBytes = 1 << 20;
  const auto meeting = ThreadBootstrap::meeting(2);
  on_ranks(2, [&](std::uint32_t rank) {
    ThreadBootstrap bootstrap(meeting, rank);
    const auto transport = connect_over(bootstrap, {.transport = "tcp:keep_mib=1"});
    Speaker speaker(*transport);
    std::vector<Bytes> messages;
    if (rank == 0) {
      std::vector<Request> sends;
      for (std::uint32_t i = 0; i < kMessages; ++i) messages.push_back(pattern(kBytes, i));
      for (std::uint32_t i = 0; i < kMessages; ++i) sends.push_back(speaker.send(1, i, messages[i]));
      return speaker.finish(sends);
    }
    for (std::uint32_t i = 0; i < kMessages; ++i) {
      Bytes room(kBytes);
      speaker.finish(speaker.receive(0, i, room));
      EXPECT_EQ(room, pattern(kBytes, i));
    }
  });
}

// A link to a bare socket; what it writes can be heard there.
struct Pair {
  Pair() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0) throw std::runtime_error("no socketpair");
    link.emplace(Descriptor(ends[0]), 1u, 2u);
    socket = Descriptor(ends[1]);
  }
  void send(std::uint64_t tag, std::span<const std::byte> bytes) {
    link->send(Tag{tag}, bytes, std::make_shared<PendingGroup>(1), 0);
  }
  std::uint64_t hear_tag() {
    TcpHeader heard;
    const std::string bytes = hear(socket, sizeof heard);
    std::memcpy(&heard, bytes.data(), sizeof heard);
    hear(socket, heard.bytes);
    return heard.tag;
  }
  std::optional<TcpLink> link;
  Descriptor socket;
};

TEST(TcpLink, SmallMessagesOvertakeLargeOnesThatHaveNotBegun) {
  Pair pair;
  const Bytes large(5000), small(10);
  for (const std::uint64_t tag : {1u, 2u}) pair.send(tag, large);
  pair.send(3, small);
  EXPECT_EQ(pair.link->write().completed, 3u);
  for (const std::uint64_t tag : {3u, 1u, 2u}) EXPECT_EQ(pair.hear_tag(), tag);
}

TEST(TcpLink, MessagesOfOneTagKeepTheirOrder) {
  Pair pair;
  const Bytes large(5000), small(10);
  pair.send(1, large);
  pair.send(1, small);
  pair.send(2, small);
  pair.link->write();
  for (const std::uint64_t tag : {2u, 1u, 1u}) EXPECT_EQ(pair.hear_tag(), tag);
}

TEST(TcpLink, AnAbortReplacesWhatHasNotBegun) {
  Pair pair;
  const Bytes large(5000);
  pair.send(1, large);
  pair.link->drop_queue();
  pair.link->send_control(TcpKind::abort, 7, "why");
  pair.link->write();
  EXPECT_EQ(pair.hear_tag(), 7u);
}

}  // namespace
}  // namespace tw::test
