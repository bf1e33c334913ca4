// What a communicator does beside exchanging well: refuses what is wrong, names who differs or is missing, ends alike.
#include <tightwire/communicator.hpp>

#include <gtest/gtest.h>

#include "tests/support/exchange.hpp"
#include "tests/support/ranks.hpp"

namespace tw::test {
namespace {

GroupSpec two_ranks() { return {.ranks = 2, .params = awkward_params(3000), .bucket_bytes = 2500}; }

Tensors ones(std::span<const Param> params) {
  Tensors tensors;
  for (const Param& param : params) {
    Tensor& tensor = tensors.emplace_back(param.dtype, param.count());
    for (std::uint64_t i = 0; i < param.count(); ++i) tensor.set(i, 1);
  }
  return tensors;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(Communicator, RefusesCallsOutOfOrder) {
  with_group(two_ranks(), [](Member& member) {
    Communicator& comm = member.communicator();
    Tensors tensors = ones(member.params());
    EXPECT_THROW(comm.register_parameters(member.params(), plan_buckets(member.params(), 1000)), UsageError);
    EXPECT_THROW(member.hand_over(0, tensors), UsageError);
    EXPECT_THROW(comm.verdict(soon()), UsageError);
    EXPECT_THROW(comm.end_step(soon()), UsageError);
    comm.begin_step({1, 0.1, 1});
    EXPECT_THROW(comm.begin_step({1, 0.1, 1}), UsageError);
    EXPECT_THROW(member.saved_state(), UsageError);
    member.hand_over(0, tensors);
    EXPECT_TRUE(contains(message_of<UsageError>([&] { member.hand_over(0, tensors); }), "bucket 0"));
    EXPECT_TRUE(contains(message_of<UsageError>([&] { comm.all_reduce({999, {}}); }), "999"));
    EXPECT_TRUE(comm.verdict(soon()).commit);
    EXPECT_TRUE(comm.verdict(soon()).commit);  // may be asked again
    EXPECT_THROW(member.hand_over(1, tensors), UsageError);
    EXPECT_TRUE(comm.end_step(soon()).committed);
    EXPECT_TRUE(member.step(2, tensors).committed);  // all of that did no harm
  });
}

TEST(Communicator, RefusesUnregisteredUse) {
  auto transports = connect_threads(1, {.transport = "loopback"});
  Communicator comm(std::move(transports[0]), {});
  EXPECT_TRUE(contains(message_of<UsageError>([&] { comm.begin_step({}); }), "before register_parameters"));
  EXPECT_THROW(Communicator(std::move(connect_threads(1, {.transport = "loopback"})[0]), {.chunk_bytes = 10}),
               UsageError);
  EXPECT_TRUE(contains(message_of<UsageError>([] {
                         Communicator(std::move(connect_threads(1, {.transport = "loopback"})[0]),
                                      {.algorithm = "magic"});
                       }),
                       "two_shot"));
}

// Each change of the pieces that were registered is refused by name, and the bucket can still be handed over.
TEST(Communicator, RefusesPartsOfWhatWasRegistered) {
  with_group(two_ranks(), [](Member& member) {
    Tensors tensors = ones(member.params());
    member.communicator().begin_step({1, 0.1, 1});
    for (std::uint32_t bucket = 0; bucket < member.buckets(); ++bucket) {
      const auto refusal = [&](auto change) {
        std::vector<Piece> pieces = member.pieces(bucket, tensors);
        change(pieces);
        return message_of<UsageError>([&] { member.communicator().all_reduce({bucket, pieces}); });
      };
      const std::string name = member.pieces(bucket, tensors)[0].param->name;
      EXPECT_TRUE(contains(refusal([](auto& pieces) { pieces[0].data.count += 1; }), name));
      EXPECT_TRUE(contains(refusal([](auto& pieces) { pieces[0].first += 1; }), name));
      EXPECT_TRUE(contains(refusal([](auto& pieces) { pieces[0].data.dtype = DType::u8; }), "u8"));
      EXPECT_TRUE(contains(refusal([](auto& pieces) { pieces.pop_back(); }), "pieces"));
      EXPECT_TRUE(contains(refusal([](auto& pieces) { pieces[0].param = nullptr; }), name));
      member.hand_over(bucket, tensors);
    }
    EXPECT_TRUE(member.communicator().end_step(soon()).committed);
  });
}

TEST(Communicator, CountsBucketsMissingAtTheVerdictAsAbsent) {
  const GroupSpec spec = two_ranks();
  with_group(spec, [&](Member& member) {
    Tensors tensors = ones(spec.params);
    member.communicator().begin_step({1, 0.1, 1});
    std::uint64_t missing = 0;
    for (std::uint32_t bucket = 0; bucket < member.buckets(); ++bucket)
      if (member.rank() == 0 || bucket != 0) member.hand_over(bucket, tensors);
    for (const Piece& piece : member.pieces(0, tensors)) missing += piece.param->count() != 0;
    const Verdict verdict = member.communicator().verdict(soon());
    EXPECT_TRUE(verdict.commit);
    EXPECT_EQ(verdict.absent, missing);
    EXPECT_EQ(member.communicator().end_step(soon()).absent, missing);
    for (const Piece& piece : member.pieces(0, tensors)) {
      if (member.rank() != 0 || piece.param->count() == 0) continue;
      EXPECT_EQ(tensors[piece.param->id].get(0), 0.5f);  // half of the ranks gave 1
    }
  });
}

TEST(Communicator, EndsAnEmptyStep) {
  with_group(two_ranks(), [](Member& member) {
    member.communicator().begin_step({1, 0.1, 1});
    EXPECT_TRUE(member.communicator().end_step(soon()).committed);
  });
}

TEST(Communicator, ExchangesNothingWhereNothingIsRegistered) {
  with_group({.ranks = 3}, [](Member& member) {
    Tensors none;
    EXPECT_EQ(member.buckets(), 0u);
    EXPECT_TRUE(member.step(1, none).committed);
  });
}

// What rank `odd` does differently is named by every rank, with both values and who has them.
void expect_difference_named(const std::function<void(GroupSpec&)>& change, const std::vector<std::string>& words) {
  const GroupSpec spec{.ranks = 3, .params = awkward_params(3000)};
  GroupSpec changed = spec;
  change(changed);
  auto transports = connect_threads(3, {.transport = "loopback"});
  on_ranks(3, [&](std::uint32_t rank) {
    const auto message =
        message_of<UsageError>([&] { Member(rank == 2 ? changed : spec, std::move(transports[rank])); });
    EXPECT_TRUE(contains(message, "ranks 0 and 2")) << message;
    for (const std::string& word : words) EXPECT_TRUE(contains(message, word)) << message << " lacks " << word;
  });
}

TEST(Communicator, NamesWhatRanksAreConfiguredDifferentlyIn) {
  expect_difference_named([](GroupSpec& spec) { spec.options.codec = "int8"; }, {"identity", "int8:block=256"});
  expect_difference_named([](GroupSpec& spec) { spec.options.codec = "identity+ef"; }, {"identity+ef"});
  expect_difference_named([](GroupSpec& spec) { spec.options.codec_for = {{"b*", "int8"}}; }, {"'b*'", "int8"});
  expect_difference_named([](GroupSpec& spec) { spec.options.seed = 7; }, {"seed: 0", "seed: 7"});
  expect_difference_named([](GroupSpec& spec) { spec.options.chunk_bytes = 4096; }, {"chunk bytes", "4096"});
  expect_difference_named([](GroupSpec& spec) { spec.options.checksum = false; }, {"crc32c", "none"});
  expect_difference_named([](GroupSpec& spec) { spec.params[2].cols = 32; }, {"vector 1x31", "vector 1x32"});
  expect_difference_named([](GroupSpec& spec) { spec.params[2].name = "victor"; }, {"vector", "victor"});
  expect_difference_named([](GroupSpec& spec) { spec.params[2].dtype = DType::f16; }, {"f32", "f16"});
  expect_difference_named([](GroupSpec& spec) { spec.params.pop_back(); }, {"parameters: 5", "parameters: 4"});
  expect_difference_named([](GroupSpec& spec) { spec.bucket_bytes = 1; }, {"buckets"});
}

TEST(Communicator, RegistersAnewWhatWasRefused) {
  const GroupSpec spec = two_ranks();
  auto transports = connect_threads(2, {.transport = "loopback"});
  on_ranks(2, [&](std::uint32_t rank) {
    Communicator communicator(std::move(transports[rank]), {});
    std::vector<Param> unequal = spec.params;
    unequal[2].name = "a name that has memory of its own, of rank " + std::to_string(rank);
    EXPECT_THROW(communicator.register_parameters(unequal, plan_buckets(unequal, 100)), UsageError);
    std::vector<Param> params{{"w", 0, 1, 64, DType::f32}};
    communicator.register_parameters(params, plan_buckets(params, 1000));
    std::vector<float> w(64, rank == 0 ? 1.0f : 2.0f);
    const Piece piece{&params[0], 0, {w.data(), DType::f32, 64}};
    communicator.begin_step({0, 0.1, 1});
    communicator.all_reduce({0, {&piece, 1}});
    EXPECT_TRUE(communicator.end_step(soon()).committed);
    EXPECT_EQ(w, std::vector<float>(64, 1.5f));
    communicator.barrier(soon());
  });
}

TEST(Communicator, RefusesMessagesOfAnotherCommunicator) {
  auto transports = connect_threads(2, {.transport = "loopback"});
  on_ranks(2, [&](std::uint32_t rank) {
    GroupSpec spec = two_ranks();
    spec.options.communicator_id = rank;
    try {
      Member member(spec, std::move(transports[rank]));
      ADD_FAILURE() << "two communicators took each other for one";
    } catch (const WireError&) {
    } catch (const PeerError&) {  // the other was first
    }
  });
}

TEST(Communicator, LivesBesideAnother) {
  GroupSpec first = two_ranks(), second = two_ranks();
  second.options = {.codec = "int8+ef", .communicator_id = 1};
  auto transports = connect_threads(2, {.transport = "loopback"}),
       others = connect_threads(2, {.transport = "loopback"});
  on_ranks(2, [&](std::uint32_t rank) {
    Member a(first, std::move(transports[rank])), b(second, std::move(others[rank]));
    for (std::uint64_t step = 0; step < 5; ++step) {
      Tensors of_a = gradients_of(first.params, Values::integers, step, rank), of_b = ones(second.params);
      a.communicator().begin_step({step, 0.1, 1});
      b.communicator().begin_step({step, 0.1, 1});
      for (std::uint32_t bucket = 0; bucket < a.buckets(); ++bucket) {
        a.hand_over(bucket, of_a);
        b.hand_over(bucket, of_b);
      }
      EXPECT_TRUE((rank == 0 ? a : b).communicator().end_step(soon()).committed);  // in any order
      EXPECT_TRUE((rank == 0 ? b : a).communicator().end_step(soon()).committed);
      EXPECT_EQ(of_b, ones(second.params));
    }
    a.communicator().barrier(soon());
    b.communicator().barrier(soon());
  });
}

TEST(Communicator, MeansMayBeUsedAsTheyArrive) {
  const GroupSpec spec = two_ranks();
  with_group(spec, [&](Member& member) {
    Tensors tensors = ones(spec.params);
    std::vector<Work> works;
    member.communicator().begin_step({1, 0.1, 1});
    for (std::uint32_t bucket = 0; bucket < member.buckets(); ++bucket)
      works.push_back(member.hand_over(bucket, tensors));
    for (std::uint32_t bucket = 0; bucket < member.buckets(); ++bucket) {
      works[bucket].wait(soon());
      EXPECT_TRUE(works[bucket].done());
      for (const Piece& piece : member.pieces(bucket, tensors))
        if (piece.param->count() != 0) tensors[piece.param->id].set(0, 5);  // it is the trainer's again
    }
    member.communicator().end_step(soon());
    for (const Param& param : spec.params) EXPECT_TRUE(param.count() == 0 || tensors[param.id].get(0) == 5);
    EXPECT_TRUE(Work().done());
  });
}

TEST(Communicator, CountsItsWork) {
  const GroupSpec spec = two_ranks();
  with_group(spec, [&](Member& member) {
    Tensors tensors = ones(spec.params);
    for (std::uint64_t step = 0; step < 3; ++step) member.step(step, tensors);
    const Stats stats = member.communicator().stats();
    EXPECT_EQ(stats.steps, 3u);
    EXPECT_EQ(stats.skipped_steps, 0u);
    EXPECT_GT(stats.sent_messages, 3u);
    EXPECT_GT(stats.encode_seconds, 0);
    EXPECT_GT(stats.decode_seconds, 0);
    EXPECT_EQ(stats.state_bytes, 0u);
    EXPECT_GE(stats.waited_comm_seconds, 0);
  });
  GroupSpec with_memory = spec;
  with_memory.options.codec = "int8+ef";
  std::uint64_t elements = 0;
  for (const Param& param : spec.params) elements += param.count();
  std::atomic<std::size_t> bytes = 0;
  with_group(with_memory, [&](Member& member) { bytes += member.communicator().stats().state_bytes; });
  EXPECT_EQ(bytes, (2 + 1) * elements * 2 * sizeof(float));  // two workers and the owners, two buffers each
}

}  // namespace
}  // namespace tw::test
