// The bytes of every codec, frozen: a line for each codec and family, a CRC-32C for each size. And the frame's header.
#include "tests/compress/golden.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <iomanip>
#include <map>
#include <sstream>
#include <tuple>

#include "compress/randomness.hpp"
#include "compress/wire.hpp"
#include "kernels/base/crc32c.hpp"
#include "tests/compress/codec_harness.hpp"

namespace tw::test {
namespace {

constexpr std::uint64_t kSizes[] = {1, 2, 31, 32, 33, 1023, 4096, 100003};

std::string hex(std::uint64_t value, int digits) {
  std::ostringstream out;
  out << std::hex << std::setfill('0') << std::setw(digits) << value;
  return out.str();
}

// A line for each family: the checksums of one codec's bodies.
std::string golden_lines(const std::string& spec, DType dtype, Backend backend) {
  static std::map<std::tuple<DType, Family, std::uint64_t>, std::vector<float>> inputs;  // slow to make
  std::string lines;
  for (const Family family : kFamilies) {
    lines += Compressor(spec).canonical_spec() + ' ' + tw::name_of(dtype) + ' ' + std::string(name_of(family));
    for (const std::uint64_t count : kSizes) {
      auto& x = inputs[{dtype, family, count}];
      if (x.empty()) x = make_input(family, count, dtype);
      Coding coding(spec, make_param(count, dtype), backend);
      lines += ' ' + hex(crc32c(coding.encode(x)), 8);
    }
    lines += '\n';
  }
  return lines;
}

std::string golden_text(Backend backend) {
  std::string text = "# CRC-32C of bodies: spec dtype family, then sizes";
  for (const std::uint64_t count : kSizes) text += ' ' + std::to_string(count);
  text += '\n';
  for (const std::string& spec : specs_under_test()) text += golden_lines(spec, DType::f32, backend);
  // Codecs see values widened to f32; only identity knows the parameter's type.
  for (const DType dtype : {DType::f16, DType::bf16}) text += golden_lines("identity", dtype, backend);
  return text;
}

TEST(Golden, Bodies) {
  for (const Backend backend : backends_under_test()) {
    SCOPED_TRACE(name_of(backend));
    if (writes_golden() && backend != Backend::reference) continue;
    expect_golden("tests/golden/bodies.txt", golden_text(backend));
  }
}

// The families themselves: else a change of theirs would look like one of the codecs.
TEST(Golden, Inputs) {
  std::string text;
  for (const DType dtype : kGradientTypes)
    for (const Family family : kFamilies) {
      const auto x = make_input(family, 100003, dtype);
      text += std::string(tw::name_of(dtype)) + ' ' + std::string(name_of(family)) + ' ' +
              hex(crc32c(std::as_bytes(std::span(x))), 8) + '\n';
    }
  expect_golden("tests/golden/inputs.txt", text);
}

TEST(Golden, FrameHeader) {
  Coding coding("bf16", make_param(2));
  FrameLayout layout(coding.codec(), {{&coding.param(), 0, 2}});
  Guarded<std::byte> frame(layout.max_frame_bytes());
  const float values[] = {1.0f, -2.5f};
  const auto body = coding.encode(values);
  std::copy(body.begin(), body.end(), layout.body_room(frame.span(), 0).begin());
  FrameId id;
  id.communicator = 0x01020304;
  id.codec = coding.codec().id();
  id.hop = Hop::owner;
  id.plan_hash = 0x1112131415161718;
  id.codec_hash = 0x2122232425262728;
  id.epoch = 0x31323334;
  id.bucket = 0x41424344;
  id.step = 0x5152535455565758;
  id.chunk = 0x61626364;
  id.source = 0x71727374;
  const auto bytes = static_cast<std::uint32_t>(body.size());
  seal_frame(id, layout, Checksum::crc32c, {&bytes, 1}, frame.span());
  std::string text;
  for (std::size_t i = 0; i < frame.span().size(); ++i)
    text += hex(std::to_integer<std::uint64_t>(frame.span()[i]), 2) + (i % 16 == 15 ? '\n' : ' ');
  expect_golden("tests/golden/frame.txt", text);
}

// What every codec sends, in bytes: nobody makes a payload larger unseen.
TEST(Golden, PayloadBytes) {
  std::string text = "codec,elements,dtype,body_bytes,bits_per_element\n";
  for (const std::string& spec : specs_under_test())
    for (const std::uint64_t count : {std::uint64_t{1000}, std::uint64_t{1} << 20})
      for (const DType dtype : {DType::f32, DType::f16}) {
        const Param param = make_param(count, dtype);
        const Compressor compressor(spec);
        const std::size_t bytes = compressor.codec().max_bytes({&param, 0, count});
        std::ostringstream row;
        row << '"' << compressor.canonical_spec() << "\"," << count << ',' << tw::name_of(dtype) << ',' << bytes << ','
            << static_cast<double>(bytes) * 8 / static_cast<double>(count) << '\n';
        text += row.str();
      }
  expect_golden("bench/ratios.csv", text);
}

TEST(Golden, RandomWords) {
  std::string text;
  for (const Hop hop : {Hop::worker, Hop::owner})
    for (const std::uint64_t element : {std::uint64_t{0}, std::uint64_t{5}, std::uint64_t{1} << 34}) {
      const EncodeKey key{0x0123456789abcdef, 0x1122334455667788, 3, hop};
      text += "hop " + std::to_string(static_cast<int>(hop)) + " element " + std::to_string(element) + ": sender " +
              hex(sender_words(key, 7).word(element), 8) + ", shared " + hex(shared_words(key, 7).word(element), 8) +
              '\n';
    }
  expect_golden("tests/golden/random_words.txt", text);
}

}  // namespace
}  // namespace tw::test
