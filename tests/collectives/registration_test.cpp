// What may be registered and how it is cut: parameters, buckets, plans; buffers that are used again; torn states.
#include "collectives/registration.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "collectives/buffers.hpp"
#include "collectives/vote.hpp"
#include "compress/wire.hpp"
#include "tests/support/exchange.hpp"

namespace tw::test {
namespace {

const CompressorTable& identity() {
  static const CompressorTable table("identity", {});
  return table;
}

std::string refusal(std::span<const Param> params, const std::vector<BucketPieces>& buckets, const std::string& codec) {
  const CompressorTable compressors(codec, {});
  return message_of<UsageError>([&] { check_buckets(params, buckets, compressors, 2); });
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(Registration, RefusesWrongParameters) {
  const auto refused = [](const std::vector<Param>& params) {
    return message_of<UsageError>([&] { check_params(params); });
  };
  EXPECT_TRUE(contains(refused({{"a", 1, 1, 1, DType::f32}}), "id 1"));
  EXPECT_TRUE(contains(refused({{"a", 0, 1, 1, DType::f32}, {"a", 1, 1, 1, DType::f32}}), "'a'"));
  EXPECT_TRUE(contains(refused({{"a", 0, 1, 1, DType::u8}}), "u8"));
}

TEST(Registration, RefusesBucketsThatDoNotCoverEachParameterOnce) {
  const std::vector<Param> params{{"a", 0, 1, 1024, DType::f32}};
  const auto piece = [&](std::uint64_t first, std::uint64_t count) {
    return Piece{&params[0], first, {nullptr, DType::f32, count}};
  };
  EXPECT_EQ(refusal(params, {{piece(0, 512)}, {piece(512, 512)}}, "identity"), "(nothing was thrown)");
  EXPECT_TRUE(contains(refusal(params, {{piece(0, 512)}}, "identity"), "buckets hold 512"));
  EXPECT_TRUE(contains(refusal(params, {{piece(0, 512)}, {piece(768, 256)}}, "identity"), "512 is in no bucket"));
  EXPECT_TRUE(contains(refusal(params, {{piece(0, 512)}, {piece(256, 768)}}, "identity"), "256 is in two pieces"));
  EXPECT_TRUE(contains(refusal(params, {{piece(0, 2000)}}, "identity"), "outside parameter 'a'"));
  EXPECT_TRUE(contains(refusal(params, {{piece(0, 100)}, {piece(100, 924)}}, "int8"), "multiples of 256"));
  EXPECT_TRUE(contains(refusal(params, {{piece(0, 256)}, {piece(256, 768)}}, "topk"), "begin a shard"));
  EXPECT_TRUE(contains(refusal(params, {{{nullptr, 0, {}}}}, "identity"), "unregistered"));
}

TEST(Bucketing, GroupsInReverseOrderWithoutCutting) {
  std::vector<Param> params;
  for (std::uint32_t id = 0; id < 5; ++id) params.push_back({"p" + std::to_string(id), id, 1, 100, DType::f32});
  params[2].cols = 1000;
  const auto buckets = plan_buckets(params, 1000);
  std::vector<std::vector<std::uint32_t>> ids;
  for (const BucketPieces& bucket : buckets) {
    ids.emplace_back();
    for (const Piece& piece : bucket) {
      ids.back().push_back(piece.param->id);
      EXPECT_EQ(piece.first, 0u);
      EXPECT_EQ(piece.data.count, piece.param->count());
    }
  }
  EXPECT_EQ(ids, (std::vector<std::vector<std::uint32_t>>{{4, 3}, {2}, {1, 0}}));
  EXPECT_TRUE(plan_buckets({}, 1000).empty());
  EXPECT_THROW(plan_buckets(params, 0), UsageError);
}

// Every element is in one chunk of its owner; chunks are about as large as asked for and cut where the codec allows.
TEST(Plan, CutsEveryElementIntoOneChunkOfItsOwner) {
  for (const char* codec : {"identity", "int8", "topk:ratio=0.1", "randomk:count=9"})
    for (const std::uint32_t owners : {1u, 3u, 8u}) {
      const CompressorTable compressors(codec, {});
      const auto params = awkward_params();
      std::vector<PlannedPiece> pieces;
      for (const Param& param : params) pieces.push_back({&param, {0, param.count()}});
      const BucketPlan plan(3, pieces, compressors, {owners, 2048});
      std::vector<std::vector<int>> seen;
      for (const Param& param : params) seen.emplace_back(param.count(), 0);
      for (const Chunk& chunk : plan.chunks()) {
        EXPECT_EQ(&chunk, &plan.chunks()[chunk.index]);
        for (const Extent& extent : chunk.layout.extents()) {
          const CodecTraits traits = compressors.for_param(*extent.param).codec().traits(*extent.param);
          EXPECT_TRUE(extent.first == 0 || extent.first % traits.granule == 0);
          EXPECT_TRUE(traits.sparse || extent.count <= std::max<std::uint64_t>(512, traits.granule));
          for (std::uint64_t i = 0; i < extent.count; ++i) ++seen[extent.param->id][extent.first + i];
        }
      }
      for (const auto& counts : seen)
        EXPECT_TRUE(std::all_of(counts.begin(), counts.end(), [](int n) { return n == 1; })) << codec;
    }
}

TEST(Plan, HashTellsPlansApart) {
  const auto params = awkward_params();
  const std::vector<PlannedPiece> pieces{{&params[4], {0, params[4].count()}}};
  const auto hash = [&](std::uint32_t bucket, const CompressorTable& compressors, PlanOptions options) {
    return BucketPlan(bucket, pieces, compressors, options).hash();
  };
  const CompressorTable int8("int8", {});
  const std::uint64_t one = hash(0, identity(), {2, 2048});
  EXPECT_EQ(hash(0, identity(), {2, 2048}), one);
  EXPECT_NE(hash(1, identity(), {2, 2048}), one);
  EXPECT_NE(hash(0, int8, {2, 2048}), one);
  EXPECT_NE(hash(0, identity(), {3, 2048}), one);
  EXPECT_NE(hash(0, identity(), {2, 4096}), one);
}

TEST(BufferPool, UsesMemoryAgain) {
  BufferPool pool;
  std::size_t reserved = 0;
  for (int round = 0; round < 3; ++round) {
    std::vector<Buffer> buffers;
    for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{300}, std::size_t{100'000}}) {
      const std::size_t lead = static_cast<std::size_t>(round) * 40;
      buffers.push_back(pool.take(bytes, lead));
      EXPECT_EQ(buffers.back().bytes().size(), bytes);
      const auto address = reinterpret_cast<std::uintptr_t>(buffers.back().bytes().data());
      EXPECT_EQ((address + lead) % BufferPool::kAlignment, 0u);
      std::fill(buffers.back().bytes().begin(), buffers.back().bytes().end(), std::byte{1});
    }
    buffers[2].shrink(10);  // still goes back where it came from
    if (round == 0) reserved = pool.reserved_bytes();
  }
  EXPECT_EQ(pool.reserved_bytes(), reserved);
}

TEST(BufferPool, LeavesAtMostAnEighthUnused) {
  for (std::size_t bytes = 512; bytes < 1u << 20; bytes += bytes / 100) {
    EXPECT_GE(BufferPool::capacity_for(bytes), bytes);
    EXPECT_LE(BufferPool::capacity_for(bytes), bytes + bytes / 8 + kFrameHeaderBytes);
  }
  for (const std::size_t payload : {std::size_t{1} << 18, std::size_t{1} << 20})
    EXPECT_LE(BufferPool::capacity_for(payload + kFrameHeaderBytes), payload + 128) << "beside a header nothing";
}

TEST(BufferPool, TakesWhatWasReserved) {
  BufferPool pool;
  pool.reserve(1000, 2);
  pool.reserve(990, 1);  // of the same capacity
  const std::size_t reserved = pool.reserved_bytes();
  EXPECT_EQ(reserved, 3 * (BufferPool::capacity_for(1000) + BufferPool::kAlignment));
  const Buffer buffers[] = {pool.take(1000, 80), pool.take(980), pool.take(1000)};
  EXPECT_EQ(pool.reserved_bytes(), reserved);
  const Buffer one_more = pool.take(1000);
  EXPECT_GT(pool.reserved_bytes(), reserved);
}

TEST(Vote, SkipsForTheFirstRankThatMetAnInfinity) {
  std::vector<VoteRecord> records{{7, 0, 1}, {7, kStatusNonFinite, 0}, {7, kStatusNonFinite, 2}};
  const Verdict skip = decide(records);
  EXPECT_FALSE(skip.commit);
  EXPECT_EQ(skip.rank, 1u);
  EXPECT_EQ(skip.absent, 3u);
  records[1].status = records[2].status = 0;
  EXPECT_TRUE(decide(records).commit);
  records[2].step = 8;
  EXPECT_TRUE(contains(message_of<UsageError>([&] { decide(records); }), "rank 2 in 8"));
}

std::string load(Member& member, std::span<const std::byte> saved) {
  return message_of<UsageError>([&] {
    member.communicator().load_state([&](std::span<std::byte> out) {
      if (out.size() > saved.size()) throw UsageError("the file ends early");
      std::copy_n(saved.begin(), out.size(), out.begin());
      saved = saved.subspan(out.size());
    });
  });
}

// Whatever is wrong with a saved state, nothing of it is taken over.
TEST(SavedState, RefusesTornAndForeignOnes) {
  GroupSpec spec{.ranks = 2, .params = awkward_params(600)};
  spec.options.codec = "int8+ef";
  std::vector<std::vector<std::byte>> by_rank(2);
  with_group(spec, [&](Member& member) {
    Tensors tensors = gradients_of(spec.params, Values::gaussian, 1, member.rank());
    member.step(1, tensors);
    const auto saved = by_rank[member.rank()] = member.saved_state();
    EXPECT_EQ(load(member, saved), "(nothing was thrown)");
    for (std::size_t bytes = 0; bytes < saved.size(); bytes += 1 + saved.size() / 50)
      EXPECT_NE(load(member, std::span(saved).first(bytes)), "(nothing was thrown)") << bytes;
    for (std::size_t at = 0; at < saved.size(); at += 1 + saved.size() / 200) {
      auto torn = saved;
      torn[at] ^= std::byte{0x10};
      EXPECT_NE(load(member, torn), "(nothing was thrown)") << "byte " << at << " of " << saved.size();
    }
    EXPECT_EQ(member.saved_state(), saved);
    member.communicator().barrier(soon());
    EXPECT_TRUE(contains(load(member, by_rank[1 - member.rank()]), "rank: "));
  });
  spec.options.codec = "onebit+ef";
  with_group(spec, [&](Member& member) {
    const auto message = load(member, by_rank[member.rank()]);
    EXPECT_TRUE(contains(message, "int8") && contains(message, "onebit")) << message;
  });
}

}  // namespace
}  // namespace tw::test
