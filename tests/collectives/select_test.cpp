// Which algorithm "auto" takes, and what a named one refuses.
#include "collectives/select.hpp"

#include <gtest/gtest.h>

#include "tests/support/exchange.hpp"

namespace tw::test {
namespace {

std::string selected(const std::string& name, const std::string& codec, std::uint32_t ranks, std::uint64_t count,
                     DType dtype = DType::f32) {
  const std::vector<Param> params{{"w", 0, 1, count, dtype}};
  const CompressorTable compressors(codec, {});
  const auto buckets = plan_buckets(params, 4 << 20);
  return std::string(select_algorithm(name, {params, buckets, compressors, ranks, 1 << 20}).name());
}

TEST(Select, TakesTheNamedOne) {
  for (const Algorithm* algorithm : algorithm_table()) {
    const std::string name(algorithm->name());
    EXPECT_EQ(selected(name, "identity", 4, 1000), name);
  }
}

TEST(Select, RefusesWithParameterPayloadAndReason) {
  const auto message = message_of<UsageError>([] { selected("ring", "topk+ef", 4, 1000); });
  for (const char* word : {"ring", "'w'", "topk:ratio=0.01+ef", "not linear", "two_shot"})
    EXPECT_NE(message.find(word), std::string::npos) << message << " lacks " << word;
  EXPECT_NE(message_of<UsageError>([] { selected("ring", "identity", 4, 10, DType::bf16); }).find("bf16"),
            std::string::npos);
  EXPECT_NE(message_of<UsageError>([] { check_algorithm_name("tree"); }).find("auto, two_shot, ring"),
            std::string::npos);
}

TEST(Select, ChoosesByCost) {
  EXPECT_EQ(selected("auto", "identity", 4, 1 << 20), "two_shot");
  EXPECT_EQ(selected("auto", "int8+ef", 8, 1 << 20), "two_shot");
  EXPECT_EQ(selected("auto", "topk:ratio=0.01+ef", 4, 1 << 22), "two_shot");  // 335 kB twice against once and a half
  EXPECT_EQ(selected("auto", "topk:ratio=0.01+ef", 4, 20'000),
            "all_gather_reduce");  // a step costs more than 1600 bytes
  EXPECT_EQ(selected("auto", "topk:ratio=0.01+ef", 2, 1 << 22), "all_gather_reduce");  // the same bytes, one step less
  EXPECT_EQ(selected("auto", "identity", 1, 1000), "two_shot");
}

TEST(Select, IsPartOfWhatRanksAgreeOn) {
  with_group({.ranks = 2, .params = awkward_params(100), .options = {.codec = "topk+ef", .algorithm = "auto"}},
             [](Member& member) {
               Tensors tensors = gradients_of(member.params(), Values::gaussian, 1, member.rank());
               EXPECT_TRUE(member.step(1, tensors).committed);
               for (const SavedSlot& slot : slots_in(member.saved_state())) EXPECT_EQ(slot.hop, Hop::worker);
             });
}

}  // namespace
}  // namespace tw::test
