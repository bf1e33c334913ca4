#include "tests/compress/codec_bounds.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "compress/spec.hpp"
#include "kernels/math/bits.hpp"
#include "kernels/math/cast.hpp"

namespace tw::test {
namespace {

using Values = std::span<const float>;
using Arguments = std::map<std::string, std::string, std::less<>>;

// Largest error in units of what was allowed; 1 is the limit.
class Worst {
 public:
  void see(double error, double allowed) {
    if (error > 0) worst_ = std::max(worst_, allowed > 0 ? error / allowed : INFINITY);
  }
  ~Worst() { EXPECT_LE(worst_, 1.0) << "largest error over the stated bound"; }

 private:
  double worst_ = 0;
};

double distance(float a, float b) { return std::abs(static_cast<double>(a) - static_cast<double>(b)); }

template <class Visit>
void for_each_block(Values x, const Arguments& arguments, Visit visit) {
  const std::size_t block = std::stoull(arguments.at("block"));
  for (std::size_t begin = 0; begin < x.size(); begin += block) visit(begin, std::min(block, x.size() - begin));
}

void expect_exact(const Coding&, const Arguments&, Values x, Values y) { EXPECT_TRUE(same_values(x, y)); }

// Half a unit in the last place, and saturation.
void expect_cast(double precision, double smallest_step, double largest, Values x, Values y) {
  Worst worst;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double limited = std::clamp<double>(x[i], -largest, largest);
    worst.see(std::abs(limited - static_cast<double>(y[i])),
              std::max(std::abs(limited) * precision, smallest_step / 2));
  }
}
void expect_fp16(const Coding&, const Arguments&, Values x, Values y) { expect_cast(0x1p-11, 0x1p-24, 65504, x, y); }
void expect_bf16(const Coding&, const Arguments&, Values x, Values y) {
  expect_cast(0x1p-8, 0x1p-133, 0x1.fep127, x, y);
}

// Half a step of the block's largest / 127 (and the rounding of x * inverse); blocks below the reciprocal's range are
// zeros.
void expect_int8(const Coding&, const Arguments& arguments, Values x, Values y) {
  Worst worst;
  for_each_block(x, arguments, [&](std::size_t begin, std::size_t count) {
    double largest = 0;
    for (std::size_t i = begin; i < begin + count; ++i) largest = std::max<double>(largest, std::abs(x[i]));
    for (std::size_t i = begin; i < begin + count; ++i) {
      EXPECT_TRUE(largest >= 3.7e-37 || y[i] == 0.0f);
      worst.see(distance(x[i], y[i]), largest < 3.8e-37 ? largest : largest / 254 * 1.0001);
    }
  });
}

// Every value is the block's mean magnitude with its own sign.
void expect_onebit(const Coding&, const Arguments& arguments, Values x, Values y) {
  Worst worst;
  for_each_block(x, arguments, [&](std::size_t begin, std::size_t count) {
    double sum = 0;
    for (std::size_t i = begin; i < begin + count; ++i) sum += std::abs(static_cast<double>(x[i]));
    const double mean = sum / static_cast<double>(count);
    for (std::size_t i = begin; i < begin + count; ++i) {
      EXPECT_EQ(is_negative(x[i]), is_negative(y[i]));
      worst.see(std::abs(std::abs(static_cast<double>(y[i])) - mean), mean * 1e-5 + 0x1p-150);
    }
  });
}

// The k first of a stable sort by magnitude, exactly; zeros elsewhere. (A whole parameter is one run.)
void expect_topk(const Coding&, const Arguments& arguments, Values x, Values y) {
  const auto count = static_cast<double>(x.size());
  const auto wanted = arguments.contains("count") ? std::stod(arguments.at("count"))
                                                  : std::max(1.0, std::round(std::stod(arguments.at("ratio")) * count));
  std::vector<std::size_t> order(x.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return magnitude_bits(x[a]) > magnitude_bits(x[b]); });
  std::vector<float> expected(x.size(), 0.0f);
  for (std::size_t j = 0; j < static_cast<std::size_t>(std::min(wanted, count)); ++j) expected[order[j]] = x[order[j]];
  EXPECT_TRUE(same_values(expected, y));
}

// Less than one step of the norm / levels, at a multiple of it.
void expect_qsgd(const Coding&, const Arguments& arguments, Values x, Values y) {
  const double levels = std::exp2(std::stod(arguments.at("bits")) - 1) - 1;
  Worst worst;
  for_each_block(x, arguments, [&](std::size_t begin, std::size_t count) {
    double largest = 0, squares = 0;
    for (std::size_t i = begin; i < begin + count; ++i) {
      largest = std::max<double>(largest, std::abs(x[i]));
      squares += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    }
    const double norm = arguments.at("norm") == "max" ? largest : std::sqrt(squares), unit = norm / levels;
    const bool tiny = norm < levels * 3.0e-39;
    for (std::size_t i = begin; i < begin + count; ++i) {
      worst.see(distance(x[i], y[i]), tiny ? norm : unit * 1.00001);
      if (!tiny) worst.see(std::abs(y[i] / unit - std::round(y[i] / unit)), 1e-3);
    }
  });
}

// One value of each stratum as it is, or times the size of the stratum; zeros elsewhere.
void expect_randomk(const Coding& coding, const Arguments& arguments, Values x, Values y) {
  const Extent extent{&coding.param(), 0, x.size()};
  std::size_t sent = 0;
  const bool unbiased = arguments.at("mode") == "unbiased";
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (y[i] == 0) continue;
    ++sent;
    const double factor = unbiased ? std::round(static_cast<double>(y[i]) / static_cast<double>(x[i])) : 1.0;
    EXPECT_EQ(y[i], static_cast<float>(factor) * x[i]);
  }
  EXPECT_LE(sent, coding.codec().max_bytes(extent) / sizeof(float));
}

using Statement = void (*)(const Coding&, const Arguments&, Values, Values);
const std::map<std::string, Statement, std::less<>> kStatements{
    {"identity", expect_exact}, {"fp16", expect_fp16}, {"bf16", expect_bf16}, {"int8", expect_int8},
    {"onebit", expect_onebit},  {"topk", expect_topk}, {"qsgd", expect_qsgd}, {"randomk", expect_randomk}};

}  // namespace

void expect_stated_error(const Coding& coding, Values x, Values y) {
  const SpecTerm term = parse_spec(coding.compressor().canonical_spec()).front();
  const auto statement = kStatements.find(term.name);
  ASSERT_NE(statement, kStatements.end()) << "codec '" << term.name << "' states no error bound";
  Arguments arguments;
  for (const auto& argument : term.arguments) arguments[argument.key] = argument.value;
  statement->second(coding, arguments, x, y);
}

}  // namespace tw::test
