// The contract of codecs, for every row of the registry: what holds for each input by itself. Statistics, feedback and
// foreign bytes have files of their own.
#include <gtest/gtest.h>

#include <algorithm>

#include "compress/registry.hpp"
#include "kernels/math/bits.hpp"
#include "tests/compress/codec_bounds.hpp"
#include "tests/compress/codec_harness.hpp"

namespace tw::test {
namespace {

template <class Visit>
void for_each_coding(std::span<const Family> families, Visit visit) {
  for_each_case(families, [&](const Case& c) {
    const auto x = make_input(c.family, c.count, c.dtype);
    for (const std::string& spec : specs_under_test()) {
      SCOPED_TRACE(spec);
      Coding coding(spec, make_param(c.count, c.dtype), c.backend);
      visit(coding, x, c);
    }
  });
}

TEST(CodecContract, IdsAndNamesAreUnique) {
  std::vector<std::uint16_t> ids;
  std::vector<std::string_view> names;
  for (const CodecRow& row : codec_table()) {
    ids.push_back(row.make({std::string(row.name), {}})->id());
    names.push_back(row.name);
  }
  std::sort(ids.begin(), ids.end());
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(ids.begin(), ids.end()), ids.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

TEST(CodecContract, WritesItsWholeBodyAndNothingElse) {
  for_each_coding(kFamilies, [](Coding& coding, std::span<const float> x, const Case& c) {
    const std::size_t room = coding.codec().max_bytes({&coding.param(), 0, c.count});
    EXPECT_EQ(room % 16, 0u);
    EXPECT_TRUE(c.count != 0 || room == 0);
    coding.fill = std::byte{0x11};
    const auto body = coding.encode(x);
    coding.fill = std::byte{0xee};
    EXPECT_EQ(body, coding.encode(x)) << "bytes of the body were left as they were";
    EXPECT_TRUE(!coding.traits().fixed_size || body.size() == room);
  });
}

TEST(CodecContract, AssignsAddsAndScales) {
  for_each_coding(kFiniteFamilies, [](Coding& coding, std::span<const float> x, const Case& c) {
    const auto body = coding.encode(x);
    const auto y = coding.decode(body, c.count);
    std::vector<float> base(c.count), expected(c.count);
    for (std::size_t i = 0; i < c.count; ++i) base[i] = static_cast<float>(i % 7) - 3.0f;
    for (std::size_t i = 0; i < c.count; ++i) expected[i] = base[i] + y[i];
    std::vector<float> out = base;
    coding.decode_into(body, out, Combine::add, 1.0f);
    EXPECT_EQ(expected, out);
    if (c.family == Family::denormal) return;  // half of a denormal is rounded
    for (std::size_t i = 0; i < c.count; ++i) expected[i] = 0.5f * y[i];
    coding.decode_into(body, out, Combine::assign, 0.5f);
    EXPECT_EQ(expected, out);
    for (std::size_t i = 0; i < c.count; ++i) expected[i] = base[i] + -0.25f * y[i];
    out = base;
    coding.decode_into(body, out, Combine::add, -0.25f);
    EXPECT_EQ(expected, out);
  });
}

TEST(CodecContract, KeepsItsStatedError) {
  for_each_coding(kFiniteFamilies, [](Coding& coding, std::span<const float> x, const Case&) {
    const auto y = coding.decoded(x);
    expect_stated_error(coding, x, y);
    EXPECT_TRUE(!coding.traits().lossless || same_values(x, y));
  });
}

TEST(CodecContract, ReportsWhatIsNotFiniteAndOnlyThat) {
  for_each_coding(kFamilies, [](Coding& coding, std::span<const float> x, const Case& c) {
    coding.encode(x);
    EXPECT_EQ(coding.take_status(), is_finite(c.family) || c.count == 0 ? 0u : kStatusNonFinite);
  });
}

TEST(CodecContract, NeverTurnsAFiniteValueIntoInfinity) {
  std::vector<float> x = make_input(Family::gaussian, 1000);
  for (float& value : x) value *= 1e36f;
  for (const Backend backend : backends_under_test())
    for (const std::string& spec : specs_under_test()) {
      SCOPED_TRACE(spec);
      Coding coding(spec, make_param(x.size()), backend);
      const auto y = coding.decoded(x);
      if (coding.take_status() != 0) continue;  // a sum that overflows is reported
      EXPECT_TRUE(std::all_of(y.begin(), y.end(), [](float value) { return tw::is_finite(value); }));
    }
}

TEST(CodecContract, GivesTheReferencesBytesOnEveryBackend) {
  for_each_coding(kFamilies, [](Coding& coding, std::span<const float> x, const Case& c) {
    if (c.backend == Backend::reference) return;
    const auto body = coding.encode(x);
    Coding reference(coding.compressor().canonical_spec(), coding.param(), Backend::reference);
    EXPECT_EQ(body, reference.encode(x));
    EXPECT_EQ(coding.take_status(), reference.take_status());
    EXPECT_TRUE(same_values(coding.decode(body, c.count), reference.decode(body, c.count)));
  });
}

TEST(CodecContract, GivesTheSameBytesWhereverTheInputLies) {
  for_each_coding(kFiniteFamilies, [](Coding& coding, std::span<const float> x, const Case& c) {
    if (c.count > 4096) return;
    const auto body = coding.encode(x);
    for (std::size_t offset = 1; offset < 4; ++offset) {
      Guarded<float> moved(x.size(), 0.0f, offset);
      std::copy(x.begin(), x.end(), moved.span().begin());
      EXPECT_EQ(body, coding.encode(moved.span())) << "with the input " << offset << " elements off";
    }
  });
}

// Jobs of one call do not know of each other.
TEST(CodecContract, GivesTheSameBytesHoweverRunsAreGrouped) {
  for (const Backend backend : backends_under_test())
    for (const std::string& spec : specs_under_test()) {
      SCOPED_TRACE(spec);
      Coding coding(spec, make_param(3000), backend);
      const Param other{"other", 9, 1, 500, DType::f32};
      const auto x = make_input(Family::gaussian, 3000), z = make_input(Family::heavy, 500);
      const Input inputs[] = {{&coding.param(), 0, x}, {&other, 0, z}};
      const auto bodies = coding.encode_together(inputs);
      EXPECT_EQ(bodies[0], coding.encode(x));
      EXPECT_EQ(bodies[1], Coding(spec, other, backend).encode(z));
    }
}

// Cuts at the granule change no value: only where it travels. Sparse codecs select per shard and are never cut so.
TEST(CodecContract, GivesTheSameValuesHoweverAParameterIsCut) {
  constexpr std::uint64_t kCount = 20000;
  for (const Backend backend : backends_under_test())
    for (const Family family : {Family::gaussian, Family::heavy})
      for (const std::string& spec : specs_under_test()) {
        SCOPED_TRACE(spec);
        Coding coding(spec, make_param(kCount), backend);
        const std::uint64_t granule = coding.traits().granule;
        if (coding.traits().sparse || granule == 0) continue;
        const auto x = make_input(family, kCount);
        const auto whole = coding.decoded(x);
        const std::uint64_t cut = (kCount / 3 + granule - 1) / granule * granule;
        std::vector<float> parts;
        for (std::uint64_t begin = 0; begin < kCount; begin += cut) {
          const auto part = std::span(x).subspan(begin, std::min(cut, kCount - begin));
          const auto y = coding.decode(coding.encode(part, begin), part.size(), begin);
          parts.insert(parts.end(), y.begin(), y.end());
        }
        EXPECT_EQ(whole, parts);
      }
}

TEST(CodecContract, ClearsWhatItSelected) {
  for_each_coding(kFiniteFamilies, [](Coding& coding, std::span<const float> x, const Case& c) {
    if (coding.codec().selection() == nullptr || c.count > 4096) return;
    const auto body = coding.encode(x);
    const auto ones = coding.cleared(body, std::vector<float>(c.count, 1.0f));
    const auto y = coding.decode(body, c.count);
    for (std::size_t i = 0; i < c.count; ++i) EXPECT_TRUE(y[i] == 0.0f || ones[i] == 0.0f) << "element " << i;
    const auto kept = static_cast<std::size_t>(std::count(ones.begin(), ones.end(), 1.0f));
    EXPECT_GE(kept + body.size() / sizeof(float), c.count);
  });
}

}  // namespace
}  // namespace tw::test
