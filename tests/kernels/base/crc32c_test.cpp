#include "kernels/base/crc32c.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string_view>
#include <vector>

namespace tw {
namespace {

std::vector<std::byte> random_bytes(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::byte> bytes(count);
  for (auto& b : bytes) b = static_cast<std::byte>(random());
  return bytes;
}

// RFC 3720, appendix B.4, and the check value of the CRC catalogue.
TEST(Crc32c, MatchesPublishedVectors) {
  const std::string_view digits = "123456789";
  EXPECT_EQ(crc32c(std::as_bytes(std::span(digits))), 0xE3069283u);
  std::vector<std::byte> bytes(32, std::byte{0});
  EXPECT_EQ(crc32c(bytes), 0x8A9136AAu);
  bytes.assign(32, std::byte{0xff});
  EXPECT_EQ(crc32c(bytes), 0x62A8AB43u);
  for (unsigned i = 0; i < 32; ++i) bytes[i] = static_cast<std::byte>(i);
  EXPECT_EQ(crc32c(bytes), 0x46DD794Eu);
}

TEST(Crc32c, FastEqualsReferenceAtEveryLengthClassAndAlignment) {
  const auto bytes = random_bytes(60'000, 1);
  for (std::size_t length : {0u, 1u, 7u, 8u, 9u, 4095u, 12'287u, 12'288u, 12'289u, 24'576u, 50'001u})
    for (std::size_t offset : {0u, 1u, 3u, 8u}) {
      const auto part = std::span(bytes).subspan(offset, length);
      ASSERT_EQ(crc32c(part), crc32c_reference(part)) << "length " << length << " offset " << offset;
    }
}

TEST(Crc32c, ContinuesAndCombines) {
  const auto bytes = random_bytes(30'000, 2);
  const std::span all(bytes);
  for (std::size_t cut : {0u, 1u, 777u, 29'999u, 30'000u}) {
    const auto a = crc32c(all.first(cut)), b = crc32c(all.subspan(cut));
    EXPECT_EQ(crc32c(all.subspan(cut), a), crc32c(all));
    EXPECT_EQ(crc32c_combine(a, b, all.size() - cut), crc32c(all));
  }
}

}  // namespace
}  // namespace tw
