// What holds of an exchange over NCCL besides the contract: sums that it makes itself, the messages it takes, frames
// that were harmed on their way.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <optional>
#include <thread>

#include <tightwire/error.hpp>

#include "collectives/plan.hpp"
#include "collectives/transports/wrapper.hpp"
#include "kernels/base/place.hpp"
#include "kernels/cuda/stream.hpp"
#include "tests/support/exchange_cost.hpp"
#include "tests/support/loaded_kernels.hpp"
#include "tests/support/mock_nccl.hpp"
#include "tests/support/ranks.hpp"

namespace tw::test {
namespace {

class NcclExchange : public ::testing::Test {
 protected:
  void SetUp() override { MockNccl::reset(); }
  void TearDown() override { EXPECT_TRUE(MockNccl::violations().empty()); }
};

// Of small integers the sum is exact in any order.
TEST_F(NcclExchange, SumsLinearPayloadsItself) {
  for (const char* codec : {"identity", "identity+ef"})
    for (const std::uint32_t ranks : {1u, 2u, 4u})
      with_group(group_on_devices(ranks, codec, "ring"), [&](Member& member) {
        for (std::uint64_t step = 0; step < 2; ++step) {
          Tensors tensors = gradients_of(member.params(), Values::integers, step, member.rank());
          EXPECT_TRUE(member.step(step, tensors).committed);
          std::vector<Tensors> all;
          for (std::uint32_t rank = 0; rank < ranks; ++rank)
            all.push_back(gradients_of(member.params(), Values::integers, step, rank));
          for (const Param& param : member.params())
            for (std::uint64_t i = 0; i < param.count(); ++i) {
              float sum = 0;
              for (const Tensors& gradients : all) sum += gradients[param.id].get(i);
              ASSERT_EQ(tensors[param.id].get(i), sum / static_cast<float>(ranks)) << param.name << "[" << i << "]";
            }
        }
      });
}

// A launch that loads its kernel may wait for the device, and so for messages of ranks that are no more.
TEST_F(NcclExchange, LaunchesNoKernelThatIsNotLoaded) {
  const std::size_t launches = kernel_launches(), before = launches_that_load();
  for (const char* codec : {"identity", "int8+ef", "topk:count=700+ef"})
    with_group(group_on_devices(3, codec, "two_shot"), [&](Member& member) {
      Tensors tensors = gradients_of(member.params(), Values::gaussian, 0, member.rank());
      EXPECT_TRUE(member.step(0, tensors).committed);
    });
  EXPECT_GT(kernel_launches(), launches);
  EXPECT_EQ(launches_that_load(), before);
}

// On a stream that waits for nothing else.
TEST_F(NcclExchange, WhoJoinsFindsTheMean) {
  for (const char* algorithm : {"two_shot", "all_gather_reduce", "ring"})
    with_group(group_on_devices(2, "identity", algorithm), [&](Member& member) {
      Tensors tensors = gradients_of(member.params(), Values::integers, 1, member.rank());
      const Tensors other = gradients_of(member.params(), Values::integers, 1, 1 - member.rank());
      const cuda::Stream stream(device_of(member.rank()));
      const Exec reader{.backend = Backend::cuda, .device = stream.device(), .stream = stream.get()};
      std::vector<std::pair<Piece, Work>> works;
      member.communicator().begin_step({1, 0.1, 1});
      for (std::uint32_t bucket = 0; bucket < member.buckets(); ++bucket) {
        const auto pieces = member.pieces(bucket, tensors);
        works.emplace_back(pieces.front(), member.communicator().all_reduce({bucket, pieces}));
      }
      std::vector<Block> means;
      for (auto& [piece, work] : works) {
        work.join(reader, soon());
        means.push_back(allocate_block(memory_of(Residence::pinned), piece.data.bytes() + 1));
        copy_bytes(reader, {static_cast<const std::byte*>(piece.data.data), piece.data.bytes()},
                   {means.back().get(), piece.data.bytes()});
      }
      synchronize(reader);
      for (std::size_t i = 0; i < works.size(); ++i) {
        const Piece& piece = works[i].first;
        const std::uint32_t param = piece.param->id;
        const auto* mean = reinterpret_cast<const float*>(means[i].get());
        for (std::uint64_t k = 0; k < piece.data.count; ++k)
          ASSERT_EQ(mean[k], (tensors[param].get(piece.first + k) + other[param].get(piece.first + k)) / 2)
              << algorithm;
      }
      EXPECT_TRUE(member.communicator().end_step(soon()).committed);
      for (auto& [piece, work] : works) work.join(reader, soon());  // of a step that is over
    });
}

TEST_F(NcclExchange, RandomIndicesAreSummedToo) {
  with_group(group_on_devices(3, "randomk:ratio=0.3", "ring"), [&](Member& member) {
    Tensors tensors = gradients_of(member.params(), Values::gaussian, 1, member.rank());
    EXPECT_TRUE(member.step(1, tensors).committed);
  });
}

// Counts what is posted in device memory: groups of messages, and sums.
class Groups final : public TransportWrapper {
 public:
  Groups(TransportPtr inner, std::atomic<std::uint64_t>& posted)
      : TransportWrapper(std::move(inner)), posted_(posted) {}
  std::string_view name() const override { return "groups"; }
  Request post(const Exec& exec, std::span<const Op> ops) override {
    if (!ops.empty() && ops.front().space == Space::device) ++posted_;
    return inner_->post(exec, ops);
  }
  Request all_reduce_sum(const Exec& exec, std::span<float> values) override {
    ++posted_;
    return TransportWrapper::all_reduce_sum(exec, values);
  }

 private:
  std::atomic<std::uint64_t>& posted_;
};

// The contract has the messages of buckets in which some ranks own nothing; here are all steps, and sums.
TEST_F(NcclExchange, TakesTheStepsOfTheFormula) {
  for (const auto& [algorithm, codec] :
       {std::pair{"two_shot", "int8"}, {"all_gather_reduce", "int8"}, {"ring", "identity"}, {"ring", "randomk"}})
    for (const std::uint32_t ranks : {1u, 3u}) {
      GroupSpec spec = group_on_devices(ranks, codec, algorithm);
      spec.bucket_bytes = 1u << 24;  // one bucket, in which every rank owns something
      auto transports = connect_group(spec);
      on_ranks(ranks, [&](std::uint32_t rank) {
        std::atomic<std::uint64_t> groups = 0;
        Member member(spec, TransportPtr(new Groups(std::move(transports[rank]), groups)));
        const Stats before = member.communicator().stats();
        Tensors tensors = gradients_of(spec.params, Values::gaussian, 1, rank);
        member.step(1, tensors);
        const Stats after = member.communicator().stats();
        const Cost cost = cost_by_formula(spec, rank, Route::stream_ordered);
        const std::uint64_t votes = ranks - 1;  // of 16 + 16 bytes
        EXPECT_EQ(groups, cost.steps) << algorithm << ", rank " << rank << " of " << ranks;
        EXPECT_EQ(after.sent_messages - before.sent_messages, cost.messages + votes) << algorithm << " of " << ranks;
        EXPECT_EQ(after.sent_bytes - before.sent_bytes, cost.sent_bytes + 32 * votes) << algorithm << " of " << ranks;
        member.communicator().barrier(soon());
      });
    }
}

// Else the one would wait in device memory for what the other never sends there.
TEST_F(NcclExchange, RanksThatDisagreeOnWhereGradientsLieAreToldAtRegistration) {
  GroupSpec spec = group_on_devices(2, "int8", "two_shot");
  auto transports = connect_group(spec);
  on_ranks(2, [&](std::uint32_t rank) {
    GroupSpec own = spec;
    own.devices = rank == 0 ? Devices::all : Devices::none;
    const auto message = message_of<UsageError>([&] { Member(own, std::move(transports[rank])); });
    EXPECT_NE(message.find("on devices"), std::string::npos) << message;
    EXPECT_NE(message.find("on the host"), std::string::npos) << message;
  });
}

// Flips a bit of every message that comes to device memory.
class Harming final : public TransportWrapper {
 public:
  Harming(TransportPtr inner, std::size_t at) : TransportWrapper(std::move(inner)), at_(at) {}
  std::string_view name() const override { return "harming"; }
  Request post(const Exec& exec, std::span<const Op> ops) override {
    Request request = inner_->post(exec, ops);
    while (!request.started()) inner_->progress(Deadline::in(60));
    for (const Op& op : ops) {
      if (op.kind != Op::Kind::receive || op.space != Space::device || op.bytes.size() <= at_) continue;
      std::byte harmed{};
      copy_bytes(exec, op.bytes.subspan(at_, 1), {&harmed, 1});
      synchronize(exec);
      harmed ^= std::byte{4};
      copy_bytes(exec, {&harmed, 1}, op.bytes.subspan(at_, 1));
    }
    return request;
  }

 private:
  std::size_t at_;
};

// What rank 1 ends with when a byte of each message to it is harmed. Then no rank may take the step for good: its mean
// was made of what rank 1 got.
std::string outcome_with_harm(const GroupSpec& spec, std::size_t at) {
  std::atomic<std::uint32_t> committed = 0;
  auto transports = connect_group(spec);
  std::string outcome;
  on_ranks(spec.ranks, [&](std::uint32_t rank) {
    TransportPtr transport = std::move(transports[rank]);
    if (rank == 1) transport = TransportPtr(new Harming(std::move(transport), at));
    Member member(spec, std::move(transport));
    Tensors tensors = gradients_of(spec.params, Values::gaussian, 1, rank);
    try {
      if (member.step(1, tensors).committed) ++committed;
      member.communicator().barrier(soon());
      if (rank == 1) outcome = "fine";
    } catch (const Error& error) {  // found here, or first by rank 0, whose mean was made of it
      if (rank == 1) outcome = error.what();
    }
  });
  EXPECT_TRUE(outcome == "fine" || committed == 0) << committed << " ranks committed";
  return outcome;
}

TEST_F(NcclExchange, FramesThatWereHarmedEndTheStep) {
  GroupSpec spec = group_on_devices(2, "int8", "two_shot");
  for (const std::size_t at : {std::size_t{0}, std::size_t{30}, kFrameHeaderBytes + 3, kFrameHeaderBytes + 100}) {
    EXPECT_NE(outcome_with_harm(spec, at).find("header or checksum"), std::string::npos) << "byte " << at;
    MockNccl::reset();
  }
  spec.options.checksum = false;
  EXPECT_NE(outcome_with_harm(spec, 30).find("header or checksum"), std::string::npos);
  MockNccl::reset();
  EXPECT_EQ(outcome_with_harm(spec, kFrameHeaderBytes + 3), "fine") << "nobody looks at bodies then";
}

TEST_F(NcclExchange, IndicesOutOfOrderEndTheStep) {
  GroupSpec spec = group_on_devices(2, "topk:ratio=0.3", "two_shot");
  spec.options.checksum = false;
  const auto outcome = outcome_with_harm(spec, kFrameHeaderBytes + 3);  // the first index becomes huge
  const bool is_told = outcome.find("indices out of range or order") != std::string::npos ||
                       outcome.find("or it is a mean that was made") != std::string::npos;
  EXPECT_TRUE(is_told) << outcome;
}

// Rank 0 has handed over a bucket, whose messages cannot start: rank 1 hands over nothing before `body` has returned
// and rank 0's communicator is gone. Deadlines of the transport are so far away that CTest would end the wait for one.
void while_starting(const std::function<void(Member&, Work&)>& body) {
  const GroupSpec spec = group_on_devices(2, "int8", "two_shot");
  auto transports = connect_group(spec, 3600);
  std::promise<void> over;
  on_ranks(2, [&](std::uint32_t rank) {
    std::optional<Member> member(std::in_place, spec, std::move(transports[rank]));
    member->communicator().barrier(soon());
    if (rank == 1) return over.get_future().wait();
    Tensors tensors = gradients_of(spec.params, Values::gaussian, 1, rank);
    member->communicator().begin_step({1, 0.1, 1});
    Work work = member->hand_over(0, tensors);
    MockNccl::wait_for_polls(0, 100);
    body(*member, work);
    member.reset();
    over.set_value();
  });
}

TEST_F(NcclExchange, AWaitForAStartEndsAtItsOwnDeadline) {
  while_starting([](Member&, Work& work) {
    const auto message = message_of<PeerError>([&] { work.wait(Deadline::in(0.01)); });
    EXPECT_EQ(message, "rank 0 waited for rank 1 until the deadline: the device's exchange of bucket 0");
  });
}

// What a rank waits for is the other's whose vote is missing, whichever bucket it asks for.
TEST_F(NcclExchange, ADeadlineNamesTheRankThatHandsNothingOver) {
  for (const bool last : {false, true}) {
    const GroupSpec spec = group_on_devices(4, "int8", "two_shot");
    auto transports = connect_group(spec, 3600);
    std::latch told(3);
    on_ranks(4, [&](std::uint32_t rank) {
      std::optional<Member> member(std::in_place, spec, std::move(transports[rank]));
      member->communicator().barrier(soon());
      if (rank == 3) return told.wait();
      Tensors tensors = gradients_of(spec.params, Values::gaussian, 1, rank);
      member->communicator().begin_step({1, 0.1, 1});
      std::vector<Work> works;
      for (std::uint32_t bucket = 0; bucket < member->buckets(); ++bucket)
        works.push_back(member->hand_over(bucket, tensors));
      MockNccl::wait_for_polls(rank, 100);
      try {
        (last ? works.back() : works.front()).wait(rank == 0 ? Deadline::in(0.5) : soon());
        ADD_FAILURE() << "a mean without rank 3";
      } catch (const PeerError& error) {
        EXPECT_EQ(error.rank(), 3u) << error.what();
      }
      member.reset();
      told.count_down();
    });
    MockNccl::reset();
  }
}

TEST_F(NcclExchange, AnAbortEndsTheWaitForAStart) {
  while_starting([](Member& member, Work& work) {
    const std::jthread another([&] { member.communicator().abort("enough"); });
    EXPECT_EQ(message_of<PeerError>([&] { work.wait(Deadline::in(3600)); }), "rank 0 aborted: enough");
  });
}

TEST_F(NcclExchange, ACommunicatorMayGoWhileMessagesStart) {
  while_starting([](Member&, Work&) {});
}

}  // namespace
}  // namespace tw::test
