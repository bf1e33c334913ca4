#include "compress/amount.hpp"

#include <gtest/gtest.h>

#include <tightwire/error.hpp>

#include "collectives/patterns.hpp"

namespace tw {
namespace {

Param param_of(std::uint64_t count) { return {"weight", 0, 1, count, DType::f32}; }

std::uint64_t of_ratio(double ratio, std::uint64_t count) {
  const Param param = param_of(count);
  return Amount{ratio, {}}.selected({&param, 0, count});
}

TEST(Amount, RatiosRoundToNearestAndNeverToNothing) {
  EXPECT_EQ(of_ratio(0.01, 0), 0u);
  EXPECT_EQ(of_ratio(0.01, 1), 1u);
  EXPECT_EQ(of_ratio(0.01, 149), 1u);
  EXPECT_EQ(of_ratio(0.01, 150), 2u);
  EXPECT_EQ(of_ratio(0.29, 100), 29u);  // floor would give 28
  EXPECT_EQ(of_ratio(0.07, 100), 7u);   // ceil would give 8
  EXPECT_EQ(of_ratio(0.5, 5), 3u);      // half away from zero
  EXPECT_EQ(of_ratio(1, 100003), 100003u);
}

// However many ranks share a parameter: every shard that holds anything selects, and all together what was asked for.
TEST(Amount, CountsAreSplitOverShards) {
  for (const std::uint64_t count : {1ull, 7ull, 1023ull, 1025ull, 5000ull, 123457ull, 5800000ull})
    for (const std::uint64_t wanted : {1ull, 2ull, 7ull, 1000ull, 4000000ull})
      for (std::uint32_t ranks = 1; ranks <= 9; ++ranks) {
        const Param param = param_of(count);
        const Amount amount{{}, wanted};
        std::uint64_t selected = 0;
        for (std::uint32_t shard = 0; shard < ranks; ++shard) {
          const Range range = shard_range(count, amount.granule(param), ranks, shard);
          const std::uint64_t share = amount.selected({&param, range.first, range.count});
          EXPECT_EQ(share == 0, range.count == 0);
          EXPECT_LE(share, range.count);
          selected += share;
        }
        EXPECT_EQ(selected, std::min(count, wanted)) << count << " elements on " << ranks << " ranks";
      }
}

TEST(Amount, IndicesAre32Bits) {
  const Param param = param_of(std::uint64_t{1} << 33);
  const Amount amount{0.01, {}};
  EXPECT_THROW(amount.selected({&param, 0, param.count()}), UsageError);
  EXPECT_NO_THROW(amount.selected({&param, 0, param.count() / 2}));
}

TEST(Amount, TheDefaultIsARatio) {
  Amount neither{{}, {}};
  neither.settle("topk");
  EXPECT_EQ(neither.ratio, 0.01);
  Amount count{{}, 5};
  count.settle("topk");
  EXPECT_FALSE(count.ratio.has_value());
  Amount both{0.1, 5};
  EXPECT_THROW(both.settle("topk"), UsageError);
}

}  // namespace
}  // namespace tw
