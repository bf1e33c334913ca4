// The small collectives beside the all-reduce: broadcast, barrier, dense reductions, gathers.
#include <gtest/gtest.h>

#include <cstring>

#include <tightwire/communicator.hpp>

#include "collectives/transports/counting.hpp"
#include "tests/support/exchange.hpp"
#include "tests/support/messages.hpp"
#include "tests/support/ranks.hpp"

namespace tw::test {
namespace {

TensorView view_of(Bytes& bytes) { return {bytes.data(), DType::u8, bytes.size()}; }

TEST(Broadcast, GivesTheRootsBytesToAll) {
  constexpr std::size_t kPiece = 1u << 20;
  for (const std::uint32_t ranks : {1u, 2u, 3u, 4u, 7u, 8u})
    with_group({.ranks = ranks}, [&](Member& member) {
      for (std::uint32_t root = 0; root < ranks; ++root)
        for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{1000}}) {
          Bytes bytes = member.rank() == root ? pattern(size, root) : Bytes(size);
          member.communicator().broadcast(view_of(bytes), root, soon());
          EXPECT_EQ(bytes, pattern(size, root)) << "root " << root << " of " << ranks << " at " << member.rank();
        }
    });
  with_group({.ranks = 3}, [&](Member& member) {  // several pieces, more than are on the way at once
    for (const std::size_t size : {kPiece, kPiece + 1, 9 * kPiece + 5}) {
      Bytes bytes = member.rank() == 2 ? pattern(size, 9) : Bytes(size);
      member.communicator().broadcast(view_of(bytes), 2, soon());
      EXPECT_TRUE(bytes == pattern(size, 9)) << size;
    }
    Bytes bytes(1);
    EXPECT_THROW(member.communicator().broadcast(view_of(bytes), 3, soon()), UsageError);
  });
}

TEST(SmallCollectives, SendWhatTheFormulasSay) {
  constexpr std::uint32_t kRanks = 4;
  auto transports = connect_threads(kRanks, {.transport = "counting:inner=(loopback)"});
  on_ranks(kRanks, [&](std::uint32_t rank) {
    const auto counts = counts_of(*transports[rank]);
    Member member({.ranks = kRanks}, std::move(transports[rank]));
    Communicator& comm = member.communicator();
    const auto sent_by = [&](auto call) {
      const Traffic before = counts->sent();
      call();
      return Traffic{counts->sent().messages - before.messages, counts->sent().bytes - before.bytes};
    };
    const Traffic barrier = sent_by([&] { comm.barrier(soon()); });
    EXPECT_EQ(barrier.messages, kRanks - 1);
    EXPECT_EQ(barrier.bytes, (kRanks - 1) * 16u);
    float value = 1;
    const Traffic dense = sent_by([&] {
      comm.all_reduce_dense({&value, DType::f32, 1}, Communicator::Reduce::sum, soon());
    });
    EXPECT_EQ(dense.bytes, (kRanks - 1) * 20u);
    Bytes bytes(100);
    const Traffic broadcast = sent_by([&] { comm.broadcast(view_of(bytes), 0, soon()); });
    const std::uint64_t children[kRanks] = {2, 0, 1, 0};
    EXPECT_EQ(broadcast.messages, children[rank]);
    EXPECT_EQ(broadcast.bytes, children[rank] * 116);
    comm.barrier(soon());
  });
}

TEST(DenseReduction, AddsInRankOrderAndTakesTheLargest) {
  for (const std::uint32_t ranks : {1u, 2u, 3u, 7u})
    with_group({.ranks = ranks}, [&](Member& member) {
      Communicator& comm = member.communicator();
      const auto rank = static_cast<float>(member.rank());
      std::vector<float> values{1e8f * rank, 0.1f * rank, -rank, 3};
      std::vector<float> expected(4);
      for (std::uint32_t r = 0; r < ranks; ++r) {
        const auto other = static_cast<float>(r);
        const float addends[] = {1e8f * other, 0.1f * other, -other, 3};
        for (int i = 0; i < 4; ++i) expected[i] = r == 0 ? addends[i] : expected[i] + addends[i];
      }
      comm.all_reduce_dense({values.data(), DType::f32, 4}, Communicator::Reduce::sum, soon());
      EXPECT_EQ(values, expected);
      std::uint32_t counts[] = {member.rank(), 100 - member.rank()};
      comm.all_reduce_dense({counts, DType::u32, 2}, Communicator::Reduce::max, soon());
      EXPECT_EQ(counts[0], ranks - 1);
      EXPECT_EQ(counts[1], 100u);
      comm.all_reduce_dense({nullptr, DType::f32, 0}, Communicator::Reduce::sum, soon());
      std::uint16_t half = 0;
      EXPECT_THROW(comm.all_reduce_dense({&half, DType::f16, 1}, Communicator::Reduce::sum, soon()), UsageError);
      std::vector<float> large((1 << 18) + 1);
      EXPECT_THROW(comm.all_reduce_dense({large.data(), DType::f32, large.size()}, Communicator::Reduce::sum, soon()),
                   UsageError);
    });
}

TEST(AllGather, ReturnsBlobsByRank) {
  with_group({.ranks = 3}, [&](Member& member) {
    const Bytes own = pattern(33, member.rank());
    const auto all = member.communicator().all_gather(own, soon());
    ASSERT_EQ(all.size(), 99u);
    for (std::uint32_t rank = 0; rank < 3; ++rank)
      EXPECT_EQ(std::memcmp(all.data() + 33 * rank, pattern(33, rank).data(), 33), 0) << rank;
    EXPECT_TRUE(member.communicator().all_gather({}, soon()).empty());
  });
}

TEST(AllGather, RefusesBlobsOfUnequalSize) {
  auto transports = connect_threads(2, {.transport = "loopback"});
  on_ranks(2, [&](std::uint32_t rank) {
    Member member({.ranks = 2}, std::move(transports[rank]));
    const Bytes own(10 + rank);
    const auto message = message_of<Error>([&] { member.communicator().all_gather(own, soon()); });
    EXPECT_NE(message.find(" bytes"), std::string::npos) << message;
  });
}

}  // namespace
}  // namespace tw::test
