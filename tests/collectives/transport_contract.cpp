#include "tests/collectives/transport_contract.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace tw::test {

namespace {

/// Ranks leave together, and go on making progress until then: acknowledgements may still be owed to others.
class Leaving {
 public:
  explicit Leaving(const std::vector<TransportPtr>& transports) : transports_(transports) {}

  void pass() {
    const std::lock_guard lock(mutex_);
    if (++through_ != transports_.size()) return;
    for (const TransportPtr& transport : transports_) transport->wake();
    changed_.notify_all();
  }
  void wait(Transport& transport) {
    try {
      while (!all_through()) transport.progress(Deadline::in(60));
    } catch (const Error&) {  // it has failed, as its test wanted: nothing is owed any more
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return through_ == transports_.size(); });
    }
  }

 private:
  bool all_through() {
    const std::lock_guard lock(mutex_);
    return through_ == transports_.size();
  }

  const std::vector<TransportPtr>& transports_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t through_ = 0;
};

}  // namespace

void TransportContract::run(std::uint32_t ranks, const std::function<void(Transport&, Speaker&)>& body) const {
  auto transports = connect(ranks);
  Leaving leaving(transports);
  on_ranks(ranks, [&](std::uint32_t rank) {
    try {
      Speaker speaker(*transports[rank]);
      body(*transports[rank], speaker);
    } catch (...) {
      leaving.pass();
      throw;
    }
    leaving.pass();
    leaving.wait(*transports[rank]);
    transports[rank].reset();  // on its own thread: some wait until the others confirm what was sent
  });
}

namespace {

TEST_P(TransportContract, KnowsItsPlace) {
  for (const std::uint32_t ranks : {1u, 2u, 4u}) {
    const auto transports = connect(ranks);
    ASSERT_EQ(transports.size(), ranks);
    for (std::uint32_t rank = 0; rank < ranks; ++rank) {
      EXPECT_EQ(transports[rank]->rank(), rank);
      EXPECT_EQ(transports[rank]->ranks(), ranks);
      EXPECT_FALSE(transports[rank]->name().empty());
      EXPECT_FALSE(transports[rank]->silent_peer().has_value());
    }
  }
}

TEST_P(TransportContract, MatchesInPostingOrderWithinPeerAndTag) {
  run(3, [](Transport& transport, Speaker& speaker) {
    constexpr std::uint32_t kEach = 20;
    const std::uint32_t rank = transport.rank();
    if (rank != 0) {  // both tell rank 0 the same tags, interleaved
      std::vector<Bytes> messages;
      std::vector<Request> sends;
      for (std::uint32_t i = 0; i < 2 * kEach; ++i) messages.push_back(pattern(40 + i, 100 * rank + i));
      for (std::uint32_t i = 0; i < 2 * kEach; ++i) sends.push_back(speaker.send(0, 7 + i % 2, messages[i]));
      speaker.finish(sends);
      return speaker.hear(0, kGo);
    }
    for (const std::uint32_t odd : {1u, 0u})  // the later tag first
      for (const std::uint32_t peer : {2u, 1u}) {
        std::vector<Bytes> rooms(kEach, canary(100));
        std::vector<Request> receives;
        for (Bytes& room : rooms) receives.push_back(speaker.receive(peer, 7 + odd, room));
        speaker.finish(receives);
        for (std::uint32_t i = 0; i < kEach; ++i) {
          const Bytes expected = pattern(40 + 2 * i + odd, 100 * peer + 2 * i + odd);
          ASSERT_EQ(receives[i].received_bytes(0), expected.size());
          rooms[i].resize(expected.size());
          EXPECT_EQ(rooms[i], expected) << "message " << i << " of rank " << peer;
        }
      }
    for (const std::uint32_t peer : {1u, 2u}) speaker.tell(peer, kGo);
  });
}

TEST_P(TransportContract, KeepsMessagesThatNobodyAskedForYet) {
  run(2, [](Transport& transport, Speaker& speaker) {
    constexpr std::uint32_t kMessages = 10;
    if (transport.rank() == 0) {
      std::vector<Bytes> messages;
      std::vector<Request> sends;
      for (std::uint32_t i = 0; i < kMessages; ++i) messages.push_back(pattern(i * 1000, i));
      for (std::uint32_t i = 0; i < kMessages; ++i) sends.push_back(speaker.send(1, i, messages[i]));
      speaker.tell(1, kReady);
      speaker.finish(sends);
      return speaker.hear(1, kGo);
    }
    speaker.hear(0, kReady);  // sent last
    for (std::uint32_t i = kMessages; i-- > 0;) {
      Bytes room = canary(i * 1000 + 16);
      const Request receive = speaker.receive(0, i, room);
      speaker.finish(receive);
      ASSERT_EQ(receive.received_bytes(0), i * 1000);
      Bytes expected = pattern(i * 1000, i);
      expected.resize(room.size(), std::byte{0xa5});
      EXPECT_EQ(room, expected);
    }
    speaker.tell(0, kGo);
  });
}

TEST_P(TransportContract, SendsToItself) {
  run(2, [](Transport& transport, Speaker& speaker) {
    const std::uint32_t rank = transport.rank();
    Bytes first = pattern(5000, rank), second = pattern(70'000, rank + 10), none;
    Bytes room_first(5000), room_second(100'000), room_none(1);
    std::vector<Request> requests;
    requests.push_back(speaker.receive(rank, 1, room_first));  // asked for before it is sent
    requests.push_back(speaker.send(rank, 1, first));
    requests.push_back(speaker.send(rank, 2, second));  // and after
    requests.push_back(speaker.send(rank, 3, none));
    requests.push_back(speaker.receive(rank, 3, room_none));
    requests.push_back(speaker.receive(rank, 2, room_second));
    speaker.finish(requests);
    EXPECT_EQ(room_first, first);
    EXPECT_EQ(requests[4].received_bytes(0), 0u);
    ASSERT_EQ(requests[5].received_bytes(0), second.size());
    room_second.resize(second.size());
    EXPECT_EQ(room_second, second);
  });
}

TEST_P(TransportContract, CarriesEverySize) {
  const std::vector<std::size_t> sizes{
      0,    1,      15,     16,     17,     1000,    4095,      4096,           8191,    8192,
      8193, 16'384, 65'535, 65'536, 65'537, 262'144, 1'000'003, (1u << 20) + 1, 5u << 20};
  run(2, [&](Transport& transport, Speaker& speaker) {
    const std::uint32_t rank = transport.rank(), peer = 1 - rank;
    for (const std::size_t size : sizes) {  // both ways at once
      Bytes message = pattern(size, rank), room = canary(size + 64);
      const Request receive = speaker.receive(peer, size, room);
      const Request send = speaker.send(peer, size, message);
      speaker.finish(receive);
      speaker.finish(send);
      ASSERT_EQ(receive.received_bytes(0), size);
      EXPECT_TRUE(std::all_of(room.begin() + static_cast<std::ptrdiff_t>(size), room.end(),
                              [](std::byte b) { return b == std::byte{0xa5}; }))
          << "written beyond a message of " << size;
      room.resize(size);
      EXPECT_EQ(room, pattern(size, peer)) << size << " bytes";
    }
  });
}

TEST_P(TransportContract, HoldsManyMessagesAtOnce) {
  constexpr std::uint32_t kRanks = 4, kMessages = 200;
  run(kRanks, [](Transport& transport, Speaker& speaker) {
    const std::uint32_t rank = transport.rank();
    std::vector<Bytes> messages, rooms;
    std::vector<Request> requests;
    const auto bytes_of = [](std::uint32_t i) { return i % 50 == 0 ? std::size_t{100'000} : std::size_t{i * 7}; };
    for (std::uint32_t peer = 0; peer < kRanks; ++peer)
      for (std::uint32_t i = 0; i < kMessages; ++i) {
        messages.push_back(pattern(bytes_of(i), rank * 1000 + i));
        rooms.push_back(canary(bytes_of(i)));
      }
    for (std::uint32_t peer = 0; peer < kRanks; ++peer)
      for (std::uint32_t i = 0; i < kMessages; ++i)
        requests.push_back(speaker.receive(peer, i, rooms[peer * kMessages + i]));
    for (std::uint32_t i = 0; i < kMessages; ++i)
      for (std::uint32_t peer = 0; peer < kRanks; ++peer)
        requests.push_back(speaker.send(peer, i, messages[peer * kMessages + i]));
    speaker.finish(requests);
    for (std::uint32_t peer = 0; peer < kRanks; ++peer)
      for (std::uint32_t i = 0; i < kMessages; ++i)
        EXPECT_EQ(rooms[peer * kMessages + i], pattern(bytes_of(i), peer * 1000 + i));
  });
}

TEST_P(TransportContract, CompletesAGroupWhenAllOfItIsDone) {
  constexpr std::uint32_t kRanks = 3;
  run(kRanks, [](Transport& transport, Speaker& speaker) {
    const std::uint32_t rank = transport.rank();
    Bytes message = pattern(3000 + rank, rank);
    std::vector<Bytes> rooms(kRanks, canary(4000));
    std::vector<Op> ops;
    for (std::uint32_t peer = 0; peer < kRanks; ++peer) {
      ops.push_back({Op::Kind::receive, peer, Tag{5}, rooms[peer]});
      ops.push_back({Op::Kind::send, peer, Tag{5}, message});
    }
    const Request group = speaker.post(ops);
    speaker.finish(group);
    for (std::uint32_t peer = 0; peer < kRanks; ++peer) {
      ASSERT_EQ(group.received_bytes(2 * peer), 3000 + peer);
      rooms[peer].resize(3000 + peer);
      EXPECT_EQ(rooms[peer], pattern(3000 + peer, peer));
    }
  });
}

TEST_P(TransportContract, RefusesAMessageLargerThanItsRoom) {
  for (const bool asked_first : {true, false})
    for (const std::size_t size : {std::size_t{101}, std::size_t{2'000'000}}) {
      auto transports = connect(2);
      on_ranks(2, [&](std::uint32_t rank) {
        Speaker speaker(*transports[rank]);
        Bytes message = pattern(size, 1), room = canary(size - 1);
        if (rank == 0) {
          if (asked_first) speaker.hear(1, kReady);
          const Request send = speaker.send(1, 1, message);
          Request ready;
          Bytes none;
          if (!asked_first) ready = speaker.send(1, kReady, none);
          // The peer gives up: whether the send got through first is chance.
          error_of<PeerError>([&] {
            speaker.finish(send);
            speaker.run_until_failure();
          });
          return;
        }
        const std::string error = error_of<WireError>([&] {
          if (!asked_first) speaker.hear(0, kReady);
          const Request receive = speaker.receive(0, 1, room);
          if (asked_first) speaker.tell(0, kReady);
          speaker.finish(receive);
        });
        EXPECT_NE(error.find(std::to_string(size)), std::string::npos) << error;
        EXPECT_EQ(room, canary(size - 1));
        expect_same_error_again(*transports[1], error);
        transports[1]->abort(0, "test over");
      });
    }
}

TEST_P(TransportContract, NeverWritesACancelledReceive) {
  run(2, [](Transport& transport, Speaker& speaker) {
    for (const std::size_t size : {std::size_t{100}, std::size_t{1'000'000}}) {
      Bytes message = pattern(size, 3);
      if (transport.rank() == 0) {
        speaker.hear(1, kGo);
        speaker.finish(speaker.send(1, 1, message));
        speaker.hear(1, kGo);
        continue;
      }
      Bytes cancelled = canary(size), room = canary(size);
      { const Request dropped = speaker.receive(0, 1, cancelled); }
      speaker.tell(0, kGo);
      speaker.finish(speaker.receive(0, 1, room));  // the message goes to the next receive of its tag
      EXPECT_EQ(room, message);
      EXPECT_EQ(cancelled, canary(size));
      speaker.tell(0, kGo);
    }
  });
}

TEST_P(TransportContract, DeliversSendsWhoseRequestIsGone) {
  run(2, [](Transport& transport, Speaker& speaker) {
    Bytes message = pattern(300'000, 4);
    if (transport.rank() == 0) {
      { const Request dropped = speaker.send(1, 1, message); }
      return speaker.hear(1, kGo);
    }
    Bytes room(300'000);
    speaker.finish(speaker.receive(0, 1, room));
    EXPECT_EQ(room, message);
    speaker.tell(0, kGo);
  });
}

TEST_P(TransportContract, WakesASleeper) {
  run(2, [](Transport& transport, Speaker&) {
    const Deadline never(Deadline::Clock::time_point::max());
    transport.wake();
    transport.progress(never);  // woken before it slept
    for (int i = 0; i < 3; ++i) {
      const std::jthread other([&] { transport.wake(); });
      transport.progress(never);
    }
  });
}

TEST_P(TransportContract, ReturnsAtTheDeadline) {
  run(2, [](Transport& transport, Speaker& speaker) {
    const Deadline deadline = Deadline::in(0.01);
    while (!deadline.passed()) transport.progress(deadline);
    if (transport.rank() == 0) return speaker.tell(1, kGo);
    speaker.hear(0, kGo);
  });
}

}  // namespace
}  // namespace tw::test
