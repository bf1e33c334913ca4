// What the wrapping transports do beyond the contract: counts, faults by a seed, the arithmetic of a limited link.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>

#include <tightwire/connect.hpp>
#include <tightwire/error.hpp>

#include "collectives/transports/counting.hpp"
#include "collectives/transports/rate_limited.hpp"
#include "tests/support/messages.hpp"
#include "tests/support/ranks.hpp"

namespace tw::test {
namespace {

std::vector<TransportPtr> connect_two(const std::string& spec) { return connect_threads(2, {.transport = spec}); }

// What arrives when rank 0 sends `messages` with tags 0, 1, 2, ...
std::vector<Bytes> through(const std::string& spec, std::vector<Bytes> messages) {
  auto transports = connect_two(spec);
  std::vector<Bytes> rooms;
  for (const Bytes& message : messages) rooms.emplace_back(message.size());
  on_ranks(2, [&](std::uint32_t rank) {
    Speaker speaker(*transports[rank]);
    std::vector<Request> requests;
    for (std::size_t i = 0; i < messages.size(); ++i)
      requests.push_back(rank == 0 ? speaker.send(1, i, messages[i]) : speaker.receive(0, i, rooms[i]));
    speaker.finish(requests);
    if (rank == 0) return;
    for (std::size_t i = 0; i < rooms.size(); ++i) rooms[i].resize(requests[i].received_bytes(0));
  });
  return rooms;
}

std::vector<Bytes> some_messages() {
  std::vector<Bytes> messages;
  for (std::uint32_t i = 0; i < 100; ++i) messages.push_back(pattern(10 + i, i));
  return messages;
}

std::string refusal_of(const std::string& spec) {
  try {
    connect_two(spec);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Counting, CountsMessagesAndBytesByPeer) {
  auto transports = connect_threads(3, {.transport = "counting:inner=(loopback)"});
  const auto counts = counts_of(*transports[0]);
  on_ranks(3, [&](std::uint32_t rank) {
    Speaker speaker(*transports[rank]);
    Bytes message(100);
    if (rank != 0) return speaker.finish(speaker.receive(0, 1, message));
    for (const std::uint32_t peer : {1u, 2u}) speaker.finish(speaker.send(peer, 1, message));
    Bytes more(11);
    speaker.send(1, 2, more);
  });
  transports.clear();
  EXPECT_EQ(counts->sent_to(0).messages, 0u);
  EXPECT_EQ(counts->sent_to(1).messages, 2u);
  EXPECT_EQ(counts->sent_to(1).bytes, 111u);
  EXPECT_EQ(counts->sent_to(2).bytes, 100u);
  EXPECT_EQ(counts->sent().messages, 3u);
  EXPECT_EQ(counts->sent().bytes, 211u);
}

TEST(Faulty, FlipsOneBitOfACorruptMessage) {
  const auto sent = some_messages(), got = through("faulty:corrupt=1,inner=(loopback)", sent);
  for (std::size_t i = 0; i < sent.size(); ++i) {
    ASSERT_EQ(got[i].size(), sent[i].size());
    int flipped = 0;
    for (std::size_t b = 0; b < sent[i].size(); ++b)
      flipped += std::popcount(std::to_integer<unsigned>(got[i][b] ^ sent[i][b]));
    EXPECT_EQ(flipped, 1);
  }
}

TEST(Faulty, CutsATruncatedMessageShort) {
  const auto sent = some_messages(), got = through("faulty:truncate=1,inner=(loopback)", sent);
  for (std::size_t i = 0; i < sent.size(); ++i) {
    ASSERT_LT(got[i].size(), sent[i].size());
    EXPECT_TRUE(std::equal(got[i].begin(), got[i].end(), sent[i].begin()));
  }
}

TEST(Faulty, ChoosesByTheSeed) {
  const auto sent = some_messages();
  const auto harmed = [&](const std::string& spec) {
    const auto got = through(spec, sent);
    std::vector<bool> harmed;
    for (std::size_t i = 0; i < sent.size(); ++i) harmed.push_back(got[i] != sent[i]);
    return harmed;
  };
  const auto first = harmed("faulty:seed=1,corrupt=0.3,inner=(loopback)");
  const auto share = std::count(first.begin(), first.end(), true);
  EXPECT_GT(share, 15);
  EXPECT_LT(share, 45);
  EXPECT_EQ(harmed("faulty:seed=1,corrupt=0.3,inner=(loopback)"), first);
  EXPECT_EQ(harmed("faulty:seed=1,corrupt=0.3,rank=0,delay=5,inner=(loopback)"), first);
  EXPECT_NE(harmed("faulty:seed=2,corrupt=0.3,inner=(loopback)"), first);
  const auto other_rank = harmed("faulty:seed=1,corrupt=1,rank=1,inner=(loopback)");
  EXPECT_EQ(std::count(other_rank.begin(), other_rank.end(), true), 0);
}

TEST(Faulty, DelaysLetTagsOvertakeEachOtherOnly) {
  auto transports = connect_two("faulty:seed=3,delay=30,inner=(loopback)");
  on_ranks(2, [&](std::uint32_t rank) {
    Speaker speaker(*transports[rank]);
    std::vector<Bytes> messages(60), rooms(60, Bytes(4));
    std::vector<Request> requests;
    for (std::uint32_t i = 0; i < 60; ++i) messages[i] = pattern(4, i);
    if (rank == 0) {
      for (std::uint32_t i = 0; i < 60; ++i) requests.push_back(speaker.send(1, i % 2, messages[i]));
      return speaker.finish(requests);
    }
    for (std::uint32_t i = 0; i < 60; ++i) requests.push_back(speaker.receive(0, i % 2, rooms[i]));
    speaker.finish(requests);
    EXPECT_EQ(rooms, messages);
  });
}

TEST(Faulty, LosesADroppedMessage) {
  auto transports = connect_two("faulty:drop=1,rank=0,inner=(loopback)");
  on_ranks(2, [&](std::uint32_t rank) {
    Speaker speaker(*transports[rank]);
    Bytes message = pattern(50, 1), room(50);
    if (rank == 0) {
      speaker.finish(speaker.send(1, 1, message));  // the sender believes it is on its way
      return speaker.hear(1, 2);
    }
    const Request lost = speaker.receive(0, 1, room);
    speaker.tell(0, 2);
    EXPECT_FALSE(lost.done());
  });
}

TEST(Faulty, KillsARankAtItsMessage) {
  auto transports = connect_two("faulty:kill=3,rank=0,inner=(loopback)");
  on_ranks(2, [&](std::uint32_t rank) {
    Speaker speaker(*transports[rank]);
    if (rank == 0) {
      speaker.tell(1, 1);
      speaker.tell(1, 1);
      EXPECT_THROW(speaker.tell(1, 1), SystemError);
      EXPECT_THROW(speaker.tell(1, 1), SystemError);
      EXPECT_THROW(transports[0]->progress(Deadline::in(0)), SystemError);
      transports[0]->wake();  // still safe
      return;
    }
    speaker.hear(0, 1);
    speaker.hear(0, 1);
    try {
      speaker.hear(0, 1);
      ADD_FAILURE() << "heard a dead rank";
    } catch (const PeerError& error) {
      EXPECT_EQ(error.rank(), 0u);
    }
  });
}

TEST(RateLimited, PassesABurstAtOnceAndTheRestAtTheRate) {
  using std::chrono::microseconds;
  TokenBucket link(1e6, 1000);  // a byte a microsecond
  const TokenBucket::Time start(std::chrono::hours(1));
  EXPECT_EQ(link.pass(start, 600), start);
  EXPECT_EQ(link.pass(start, 600), start + microseconds(200));
  EXPECT_EQ(link.pass(start, 100), start + microseconds(300));  // behind what is booked
  EXPECT_EQ(link.pass(start + microseconds(300), 50), start + microseconds(350));
  EXPECT_EQ(link.pass(start + microseconds(850), 500), start + microseconds(850));  // filled by 500 meanwhile
  EXPECT_EQ(link.pass(start + microseconds(850), 1), start + microseconds(851));
  const TokenBucket::Time later = start + std::chrono::seconds(1);  // never more than a burst
  EXPECT_EQ(link.pass(later, 1500), later + microseconds(500));
}

TEST(WrapperSpecs, AreRefusedWithTheReason) {
  EXPECT_NE(refusal_of("counting").find("inner=(loopback)"), std::string::npos);
  EXPECT_NE(refusal_of("counting:speed=1,inner=(loopback)").find("no key 'speed'"), std::string::npos);
  EXPECT_NE(refusal_of("faulty:corrupt=2,inner=(loopback)").find("corrupt=2"), std::string::npos);
  EXPECT_NE(refusal_of("rate_limited:gbit=0,inner=(loopback)").find("gbit=0"), std::string::npos);
  EXPECT_NE(refusal_of("rate_limited:inner=(pigeon)").find("unknown transport 'pigeon'"), std::string::npos);
  auto plain = connect_two("loopback");
  EXPECT_THROW(counts_of(*plain[0]), UsageError);
}

}  // namespace
}  // namespace tw::test
