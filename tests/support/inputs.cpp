#include "tests/support/inputs.hpp"

#include <limits>

#include "kernels/base/philox.hpp"
#include "kernels/math/cast.hpp"

namespace tw::test {
namespace {

// Uniform in (0, 1) with 24 bits.
float uniform(std::uint32_t word) { return (static_cast<float>(word >> 8) + 0.5f) * 0x1p-24f; }

// The sum of twelve uniforms less six: mean 0, variance 1, tails to 6, plain additions.
float gaussian(PhiloxWords words, std::uint64_t i) {
  float sum = -6.0f;
  for (std::uint64_t quad = 3 * i; quad < 3 * i + 3; ++quad)
    for (const std::uint32_t word : words.quad(quad)) sum += uniform(word);
  return sum;
}

float value_of(Family family, std::uint64_t i, std::uint64_t count, PhiloxWords words) {
  const std::uint32_t word = words.word((std::uint64_t{1} << 40) + i);
  switch (family) {
    case Family::gaussian:
      return gaussian(words, i);
    case Family::heavy:  // a ratio: no moments at all
      return gaussian(words, i) / uniform(word);
    case Family::sparse:
      return word < 0x10000000u ? gaussian(words, i) : 0.0f;
    case Family::ties:  // 16 values, both zeros among them
      return (word & 1u ? -0.25f : 0.25f) * static_cast<float>(word >> 1 & 7u);
    case Family::zero:
      return 0.0f;
    case Family::one_hot:
      return i == count / 2 ? -3.0f : 0.0f;
    case Family::denormal:
      return std::bit_cast<float>(word & 0x800fffffu);
    case Family::nan:
      return i == count / 3 ? std::bit_cast<float>(0xffc12345u) : gaussian(words, i);
    case Family::inf:
      return i == count / 3 ? -std::numeric_limits<float>::infinity() : gaussian(words, i);
  }
  return 0;
}

float rounded_to(DType dtype, float value) {
  if (dtype == DType::f16) return HalfCast::widen(HalfCast::narrow(value));
  if (dtype == DType::bf16) return BrainCast::widen(BrainCast::narrow(value));
  return value;
}

}  // namespace

std::string_view name_of(Family family) {
  constexpr std::string_view kNames[] = {"gaussian", "heavy",    "sparse", "ties", "zero",
                                         "one_hot",  "denormal", "nan",    "inf"};
  return kNames[static_cast<std::size_t>(family)];
}

std::vector<std::uint64_t> sizes_under_test() {
  std::vector<std::uint64_t> sizes{0, 1, 2, 31, 32, 33, 1023, 4096};
  if (!kSanitized) sizes.push_back(100003);
  return sizes;
}

std::vector<float> make_input(Family family, std::uint64_t count, DType dtype, std::uint32_t variant) {
  const PhiloxWords words{{0x5eed, static_cast<std::uint32_t>(family)}, {variant, 0}};
  std::vector<float> values(count);
  for (std::uint64_t i = 0; i < count; ++i) values[i] = rounded_to(dtype, value_of(family, i, count, words));
  return values;
}

}  // namespace tw::test
