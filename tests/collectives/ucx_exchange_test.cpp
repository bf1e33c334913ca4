// What holds of an exchange over UCX from device memory to device memory besides the contract: that it is one, and what
// becomes of frames that were harmed on their way, also where they are staged.
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <latch>
#include <optional>
#include <ostream>

#include <tightwire/error.hpp>

#include "collectives/plan.hpp"
#include "collectives/transports/wrapper.hpp"
#include "tests/support/exchange.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/ucx_cuda.hpp"

namespace tw::test {
namespace {

class UcxExchange : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { UcxCuda::reset(true); }
  void TearDown() override { EXPECT_EQ(UcxCuda::violations(), std::vector<std::string>()); }
};

// With checksums, which kernels make and look at.
TEST_P(UcxExchange, GoesFromDeviceToDevice) {
  const GroupSpec spec = group_on_devices(3, "identity", GetParam());
  std::vector<Tensors> all;
  for (std::uint32_t rank = 0; rank < spec.ranks; ++rank)
    all.push_back(gradients_of(spec.params, Values::integers, 1, rank));
  std::atomic<std::uint64_t> frames = 0;
  with_group(spec, [&](Member& member) {
    Tensors tensors = all[member.rank()];
    const Stats before = member.communicator().stats();
    EXPECT_TRUE(member.step(1, tensors).committed);
    frames += member.communicator().stats().sent_messages - before.sent_messages - 2;  // the vote's
    for (const Param& param : spec.params)
      for (std::uint64_t i = 0; i < param.count(); ++i)
        ASSERT_EQ(tensors[param.id].get(i),
                  (all[0][param.id].get(i) + all[1][param.id].get(i) + all[2][param.id].get(i)) / 3)
            << param.name << "[" << i << "]";
  });
  EXPECT_EQ(UcxCuda::sent(), frames);
}

// A transport that may write into a room as soon as it is posted, does.
class Eager final : public TransportWrapper {
 public:
  explicit Eager(TransportPtr inner) : TransportWrapper(std::move(inner)) {}
  std::string_view name() const override { return "eager"; }
  Request post(const Exec& exec, std::span<const Op> ops) override {
    for (const Op& op : ops)
      if (op.kind == Op::Kind::receive && op.space == Space::device) UcxCuda::overwrite(op.bytes);
    return inner_->post(exec, ops);
  }
};

TEST_P(UcxExchange, PostsRoomsThatTheDeviceIsDoneWith) {
  GroupSpec spec = group_on_devices(3, "identity+ef", GetParam());  // whose sums have buffers
  spec.params = {{"many chunks", 0, 1, 60'000, DType::f32}};
  spec.bucket_bytes = 1u << 24;
  spec.options.chunk_bytes = 1920;  // rooms, frames and sums are of one size to their pools
  spec.options.checksum = false;
  auto transports = connect_group(spec);
  on_ranks(spec.ranks, [&](std::uint32_t rank) {
    Member member(spec, TransportPtr(new Eager(std::move(transports[rank]))));
    Tensors tensors = gradients_of(spec.params, Values::integers, 1, rank), others[2];
    for (std::uint32_t i = 0; i < 2; ++i)
      others[i] = gradients_of(spec.params, Values::integers, 1, (rank + 1 + i) % spec.ranks);
    Tensors mean = tensors;
    EXPECT_TRUE(member.step(1, mean).committed);
    for (std::uint64_t i = 0; i < tensors[0].count(); ++i)
      ASSERT_EQ(mean[0].get(i), (tensors[0].get(i) + others[0][0].get(i) + others[1][0].get(i)) / 3) << i;
    member.communicator().barrier(soon());
  });
}

// Flips a bit of every frame that rank 0 sends, or of those of one hop, from host memory.
struct Harm {
  std::size_t at;
  std::optional<Hop> hop = {};
};
class Harming final : public TransportWrapper {
 public:
  Harming(TransportPtr inner, Harm harm) : TransportWrapper(std::move(inner)), harm_(harm) {}
  ~Harming() override { inner_.reset(); }  // which may still send
  std::string_view name() const override { return "harming"; }
  Request post(const Exec& exec, std::span<const Op> ops) override {
    std::vector<Op> harmed(ops.begin(), ops.end());
    for (Op& op : harmed) {
      if (op.kind != Op::Kind::send || op.bytes.size() <= kFrameHeaderBytes + 100) continue;
      if (harm_.hop && static_cast<std::uint64_t>(op.tag) % 2 != static_cast<std::uint64_t>(*harm_.hop)) continue;
      op.bytes = sent_.emplace_back(op.bytes.begin(), op.bytes.end());  // this rank goes on with the original
      op.bytes[harm_.at] ^= std::byte{4};
    }
    return inner_->post(exec, harmed);
  }

 private:
  Harm harm_;
  std::deque<std::vector<std::byte>> sent_;
};

// What each rank ends with when a byte of each frame of rank 0 is harmed, the frames of the others lying on devices.
// Rank 1 does not take the step for good unless it ends well.
std::vector<std::string> outcomes_with_harm(const GroupSpec& spec, Harm harm) {
  auto transports = connect_group(spec);
  std::vector<std::string> outcomes(spec.ranks);
  on_ranks(spec.ranks, [&](std::uint32_t rank) {
    GroupSpec own = spec;
    TransportPtr transport = std::move(transports[rank]);
    if (rank == 0) {
      transport = TransportPtr(new Harming(std::move(transport), harm));
      own.devices = Devices::none;
    }
    Member member(own, std::move(transport));
    Tensors tensors = gradients_of(spec.params, Values::gaussian, 1, rank);
    bool committed = false;
    try {
      committed = member.step(1, tensors).committed;
      member.communicator().barrier(soon());
      outcomes[rank] = "fine";
    } catch (const PeerError& error) {
      outcomes[rank] = std::string("of a peer: ") + error.what();
    } catch (const Error& error) {
      outcomes[rank] = error.what();
    }
    EXPECT_TRUE(rank != 1 || outcomes[rank] == "fine" || !committed) << outcomes[rank];
  });
  return outcomes;
}

std::string outcome_with_harm(const GroupSpec& spec, Harm harm) { return outcomes_with_harm(spec, harm)[1]; }

TEST_P(UcxExchange, NamesRankAndChunkOfAFrameThatWasHarmed) {
  GroupSpec spec = group_on_devices(2, "identity", GetParam());
  for (const std::size_t at : {std::size_t{0}, std::size_t{30}, kFrameHeaderBytes + 3, kFrameHeaderBytes + 100}) {
    const std::string outcome = outcome_with_harm(spec, {at});
    EXPECT_NE(outcome.find("frame from rank 0 (bucket "), std::string::npos) << outcome;
    EXPECT_NE(outcome.find("header or checksum"), std::string::npos) << "byte " << at << ": " << outcome;
  }
  spec.options.checksum = false;
  const std::string outcome = outcome_with_harm(spec, {30});
  EXPECT_NE(outcome.find("header or checksum"), std::string::npos) << outcome;
  EXPECT_EQ(outcome_with_harm(spec, {kFrameHeaderBytes + 3}), "fine") << "nobody looks at bodies then";
}

TEST_P(UcxExchange, NamesTheRankOfAFrameThatWasHarmedBeforeItIsBroughtToTheDevice) {
  GroupSpec spec = group_on_devices(2, "identity", GetParam());
  spec.transport = "ucx:device=staged";
  for (const Hop hop : {Hop::worker, Hop::owner}) {
    if (hop == Hop::owner && GetParam() == std::string("all_gather_reduce")) continue;  // has none
    for (const std::size_t at : {std::size_t{0}, std::size_t{30}, kFrameHeaderBytes + 3, kFrameHeaderBytes + 100}) {
      const std::string outcome = outcome_with_harm(spec, {at, hop});
      EXPECT_EQ(outcome.find("frame from rank 0"), 0u) << "byte " << at << ": " << outcome;
    }
  }
}

// Of one chunk an owner, rank 1 sends its gradient, if it comes to that, and would send a mean.
TEST_P(UcxExchange, MakesNoMeanOfAFrameThatWasHarmed) {
  GroupSpec spec = group_on_devices(2, "identity", GetParam());
  spec.params = {{"both own some", 0, 1, 1000, DType::f32}};
  spec.options.chunk_bytes = 1u << 20;
  EXPECT_NE(outcome_with_harm(spec, {30}).find("header or checksum"), std::string::npos);
  EXPECT_LE(UcxCuda::sent(), 1u);
}

// A ring's only chunk is harmed from rank 0 to rank 1, which alone can tell: what a rank passes on it seals anew.
struct HarmedWay {
  Hop hop;
  std::uint32_t owner;
  std::uint64_t sent;  // frames that leave a device until one is harmed
};
void PrintTo(const HarmedWay& way, std::ostream* out) {
  *out << (way.hop == Hop::worker ? "a sum" : "a mean") << " of rank " << way.owner;
}
class UcxRing : public ::testing::TestWithParam<HarmedWay> {
 protected:
  void SetUp() override { UcxCuda::reset(true); }
  void TearDown() override { EXPECT_EQ(UcxCuda::violations(), std::vector<std::string>()); }
};

TEST_P(UcxRing, PassesNoFrameOnThatWasHarmed) {
  const auto [hop, owner, sent] = GetParam();
  GroupSpec spec = group_on_devices(3, "identity", "ring");
  spec.params.clear();
  for (std::uint32_t id = 0; id < owner; ++id)  // the first shard of a parameter belongs to the rank of its number
    spec.params.push_back({"empty " + std::to_string(id), id, 0, 1, DType::f32});
  spec.params.push_back({"one shard", owner, 1, 32, DType::f32});
  const auto outcomes = outcomes_with_harm(spec, {kFrameHeaderBytes + 3, hop});
  const std::string source = std::to_string(hop == Hop::worker ? 0 : owner);  // means go by their owner's name
  EXPECT_EQ(outcomes[1].find("frame from rank " + source + " (bucket 0, chunk 0) is corrupt"), 0u) << outcomes[1];
  for (const std::uint32_t other : {0, 2}) {
    EXPECT_EQ(outcomes[other].find("of a peer: "), 0u) << outcomes[other];
    EXPECT_NE(outcomes[other].find("rank 1 gave up: " + outcomes[1]), std::string::npos) << outcomes[other];
  }
  EXPECT_EQ(UcxCuda::sent(), sent);
}

// Of those that rank 1 would pass on, make a mean of, and keep.
INSTANTIATE_TEST_SUITE_P(All, UcxRing,
                         ::testing::Values(HarmedWay{Hop::worker, 2, 0}, HarmedWay{Hop::owner, 0, 2},
                                           HarmedWay{Hop::worker, 1, 1}, HarmedWay{Hop::owner, 2, 2}));

// Frames of the others are on their way between devices then.
TEST_P(UcxExchange, NamesARankThatLeftDuringAStep) {
  const GroupSpec spec = group_on_devices(3, "identity", GetParam());
  auto transports = connect_group(spec);
  std::latch registered(spec.ranks);
  on_ranks(spec.ranks, [&](std::uint32_t rank) {
    Member member(spec, std::move(transports[rank]));
    Tensors tensors = gradients_of(spec.params, Values::gaussian, 1, rank);
    registered.arrive_and_wait();  // it would be named there too
    if (rank == 2) {
      member.communicator().begin_step({1, 0.1, 1});
      member.hand_over(0, tensors);
      return;
    }
    const std::string message = message_of<PeerError>([&] { member.step(1, tensors); });
    EXPECT_NE(message.find("rank 2"), std::string::npos) << message;
  });
}

INSTANTIATE_TEST_SUITE_P(All, UcxExchange, ::testing::Values("two_shot", "ring", "all_gather_reduce"));

using UcxExchangeOfIndices = UcxExchange;
TEST_P(UcxExchangeOfIndices, NamesRankAndChunkWhereTheyAreOutOfOrder) {
  GroupSpec spec = group_on_devices(2, "topk:ratio=0.3", GetParam());
  spec.options.checksum = false;
  const auto outcome = outcome_with_harm(spec, {kFrameHeaderBytes + 3});  // the first index becomes huge
  EXPECT_NE(outcome.find("frame from rank 0 (bucket "), std::string::npos) << outcome;
  EXPECT_NE(outcome.find("indices out of range or order"), std::string::npos) << outcome;
}
INSTANTIATE_TEST_SUITE_P(All, UcxExchangeOfIndices, ::testing::Values("two_shot", "all_gather_reduce"));

}  // namespace
}  // namespace tw::test
