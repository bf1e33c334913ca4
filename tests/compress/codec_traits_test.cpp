// The contract of codecs, for every row of the registry: what their traits promise over many draws and payloads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tests/compress/codec_harness.hpp"

namespace tw::test {
namespace {

EncodeKey key_of_step(std::uint64_t step, std::uint32_t rank = 3) { return {kKey.seed, step, rank, Hop::worker}; }

template <class Visit>
void for_each_spec(std::uint64_t count, DType dtype, Visit visit) {
  for (const Backend backend : backends_under_test())
    for (const std::string& spec : specs_under_test()) {
      SCOPED_TRACE(::testing::Message() << spec << ' ' << tw::name_of(dtype)
                                        << (backend == Backend::simd ? " simd" : ""));
      Coding coding(spec, make_param(count, dtype), backend);
      visit(coding);
    }
}

// The mean of an element's draws lies within 5 standard errors of it. The standard error is taken from the draws; since
// rare outcomes may not have come up in any of them, as much is added as 12.5 of them would move the mean.
void expect_unbiased(Coding& coding, std::span<const float> x) {
  constexpr std::uint64_t kDraws = kSanitized ? 300 : 2000;
  std::vector<double> sums(x.size()), squares(x.size());
  double largest_error = 0;
  for (std::uint64_t step = 0; step < kDraws; ++step) {
    const auto y = coding.decoded(x, key_of_step(step));
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double error = static_cast<double>(y[i]) - static_cast<double>(x[i]);
      sums[i] += error;
      squares[i] += error * error;
      largest_error = std::max(largest_error, std::abs(error));
    }
  }
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double mean = sums[i] / kDraws, variance = squares[i] / kDraws - mean * mean;
    const double allowed = 5 * std::sqrt(std::max(variance, 0.0) / kDraws) + 12.5 * largest_error / kDraws;
    worst = std::max(worst, std::abs(mean) / (allowed + 1e-6 * std::abs(static_cast<double>(x[i])) + 1e-30));
  }
  EXPECT_LE(worst, 1.0) << "of what is allowed: how far the worst element's mean is off";
}

TEST(CodecTraits, UnbiasedMeansUnbiased) {
  for (const DType dtype : kGradientTypes)
    for_each_spec(600, dtype, [&](Coding& coding) {
      if (coding.traits().unbiased) expect_unbiased(coding, make_input(Family::gaussian, 600, dtype));
    });
}

// What is not said to be unbiased is not: else the trait would be false modesty.
TEST(CodecTraits, BiasedMeansBiased) {
  const auto x = make_input(Family::gaussian, 600);
  for_each_spec(600, DType::f32, [&](Coding& coding) {
    if (coding.traits().unbiased || coding.codec().max_bytes({&coding.param(), 0, 600}) >= 600 * 8) return;
    std::vector<double> sums(x.size());
    for (std::uint64_t step = 0; step < 50; ++step) {
      const auto y = coding.decoded(x, key_of_step(step));
      for (std::size_t i = 0; i < y.size(); ++i) sums[i] += static_cast<double>(y[i]) - static_cast<double>(x[i]);
    }
    EXPECT_TRUE(std::any_of(sums.begin(), sums.end(), [](double sum) { return std::abs(sum) / 50 > 1e-5; }));
  });
}

double mean_error(Coding& coding, std::span<const float> x, std::uint64_t draws) {
  double sum = 0;
  for (std::uint64_t step = 0; step < draws; ++step) sum += squared_error(x, coding.decoded(x, key_of_step(step)));
  return sum / static_cast<double>(draws);
}

// Blocks for which qsgd errs most: a largest value, and all others a quarter of a step.
std::vector<float> quarter_steps(const Coding& coding, float levels) {
  std::vector<float> x(coding.param().count(), 0.25f);
  for (std::size_t i = 0; i < x.size(); i += coding.traits().granule) x[i] = levels;
  return x;
}

TEST(CodecTraits, ContractiveMeansThatTheErrorIsBelowTheInput) {
  for (const DType dtype : kGradientTypes)
    for_each_spec(1200, dtype, [&](Coding& coding) {
      if (!coding.traits().contractive) return;
      for (const Family family : kFiniteFamilies) {
        const auto x = make_input(family, 1200, dtype);
        EXPECT_LE(mean_error(coding, x, 8), squared_norm(x) * 1.000001) << name_of(family);
      }
      for (const float levels : {1.0f, 3.0f, 7.0f, 15.0f, 31.0f, 63.0f, 127.0f}) {
        const auto x = quarter_steps(coding, levels);
        EXPECT_LT(mean_error(coding, x, 8), squared_norm(x)) << "quarter steps of " << levels << " levels";
      }
      const std::vector<float> constant(1200, 0.375f);
      EXPECT_LT(mean_error(coding, constant, 8), squared_norm(constant)) << "constant";
    });
}

TEST(CodecTraits, NotContractiveMeansThatTheErrorCanExceedTheInput) {
  for_each_spec(512, DType::f32, [](Coding& coding) {
    if (coding.traits().contractive) return;
    std::vector<std::vector<float>> inputs(1, std::vector<float>(512, 1.0f));
    for (const float levels : {1.0f, 3.0f, 7.0f, 15.0f, 31.0f, 63.0f}) inputs.push_back(quarter_steps(coding, levels));
    EXPECT_TRUE(std::any_of(inputs.begin(), inputs.end(),
                            [&](const auto& x) { return mean_error(coding, x, 16) > squared_norm(x); }));
  });
}

TEST(CodecTraits, LinearMeansThatPayloadsMayBeSummed) {
  constexpr std::uint64_t kCount = 2000;
  for (const DType dtype : kGradientTypes)
    for_each_spec(kCount, dtype, [&](Coding& coding) {
      if (!coding.traits().linear) return;
      const auto a = make_input(Family::ties, kCount, dtype, 1), b = make_input(Family::ties, kCount, dtype, 2);
      const auto body_a = coding.encode(a, 0, key_of_step(7, 0)), body_b = coding.encode(b, 0, key_of_step(7, 1));
      ASSERT_EQ(body_a.size(), body_b.size());
      std::vector<float> sum_a(body_a.size() / 4), sum_b(sum_a.size());
      std::memcpy(sum_a.data(), body_a.data(), body_a.size());
      std::memcpy(sum_b.data(), body_b.data(), body_b.size());
      for (std::size_t i = 0; i < sum_a.size(); ++i) sum_a[i] += sum_b[i];
      const auto bytes = std::as_bytes(std::span(sum_a));
      auto expected = coding.decode(body_a, kCount, 0, key_of_step(7, 0));
      coding.decode_into(body_b, expected, Combine::add, 1.0f, 0, key_of_step(7, 1));
      EXPECT_EQ(expected, coding.decode(bytes, kCount, 0, key_of_step(7, 2)));
    });
}

TEST(CodecTraits, SparseMeansThatFewValuesAreSent) {
  const auto x = make_input(Family::gaussian, 4096);
  for_each_spec(4096, DType::f32, [&](Coding& coding) {
    const auto y = coding.decoded(x);
    const auto sent = 4096 - std::count(y.begin(), y.end(), 0.0f);
    const std::size_t room = coding.codec().max_bytes({&coding.param(), 0, 4096});
    EXPECT_TRUE(!coding.traits().sparse || static_cast<std::size_t>(sent) <= room / 4);
    EXPECT_TRUE(coding.traits().sparse == (coding.codec().selection() != nullptr));
  });
}

// What all ranks send at the same indices is not thinned out, or multiplied, a second time by the owner.
TEST(CodecTraits, SharedIndicesPassTheOwnerUnchanged) {
  const auto x = make_input(Family::gaussian, 4096);
  const EncodeKey owner{kKey.seed, kKey.step, 1, Hop::owner};
  for (const char* spec : {"randomk:ratio=0.1", "randomk:ratio=0.1,mode=unbiased", "randomk:count=9,mode=unbiased"}) {
    Coding coding(spec, make_param(4096));
    const auto y = coding.decoded(x);
    EXPECT_EQ(y, coding.decoded(y, owner)) << spec;
  }
}

// Squared error over squared norm on Gaussian data, as theory and other implementations have it: int8 and qsgd from the
// width of a step (unit^2 / 12, f (1 - f) unit^2), one bit 1 - 2 / pi, top-k from the tail of the distribution.
TEST(CodecTraits, ErrorsOnGaussianDataAreTheKnownOnes) {
  constexpr std::uint64_t kCount = 1 << 17;
  const auto x = make_input(Family::gaussian, kCount);
  const std::pair<const char*, double> known[] = {{"int8:block=256", 4.85e-5},
                                                  {"int8:block=2048", 6.8e-5},
                                                  {"onebit:block=256", 0.364},
                                                  {"topk:ratio=0.1", 0.560},
                                                  {"topk:ratio=0.01", 0.915},
                                                  {"qsgd:bits=4,block=512,norm=l2", 1.58},
                                                  {"qsgd:bits=8,block=512,norm=l2", 5.3e-3},
                                                  {"randomk:ratio=0.25", 0.75}};
  for (const auto& [spec, error] : known) {
    Coding coding(spec, make_param(kCount), Backend::simd);
    EXPECT_NEAR(squared_error(x, coding.decoded(x)) / squared_norm(x) / error, 1.0, 0.07) << spec;
  }
}

// Random numbers follow from the whole key; shared ones from all but rank and hop.
TEST(CodecTraits, RandomnessFollowsFromTheKey) {
  const auto x = make_input(Family::gaussian, 4096);
  const EncodeKey keys[] = {{kKey.seed + 1, kKey.step, kKey.rank, kKey.hop},
                            {kKey.seed ^ (std::uint64_t{1} << 63), kKey.step, kKey.rank, kKey.hop},
                            {kKey.seed, kKey.step + 1, kKey.rank, kKey.hop},
                            {kKey.seed, kKey.step + (std::uint64_t{1} << 40), kKey.rank, kKey.hop},
                            {kKey.seed, kKey.step, kKey.rank + 1, kKey.hop},
                            {kKey.seed, kKey.step, kKey.rank, Hop::owner}};
  for_each_spec(4096, DType::f32, [&](Coding& coding) {
    const auto body = coding.encode(x);
    EXPECT_EQ(body, coding.encode(x));
    const bool draws = body != coding.encode(x, 0, keys[0]);
    const bool shared = draws && body == coding.encode(x, 0, keys[4]);
    for (std::size_t i = 0; i < std::size(keys); ++i) {
      if (shared && coding.traits().unbiased && keys[i].hop == Hop::owner) continue;  // other values, see above
      EXPECT_EQ(body != coding.encode(x, 0, keys[i]), draws && !(shared && i >= 4)) << "key " << i;
    }
    EXPECT_TRUE(!draws || shared == coding.traits().linear);
    Coding other(coding.compressor().canonical_spec(), {"other", 6, 1, 4096, DType::f32});
    EXPECT_EQ(body != other.encode(x), draws) << "another parameter";
  });
}

}  // namespace
}  // namespace tw::test
