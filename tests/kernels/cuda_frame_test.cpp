// Frames on the device: sealed to the reference's bytes, checked for every kind of harm.
#include <gtest/gtest.h>

#include <cstring>

#include "kernels/base/philox.hpp"
#include "kernels/cuda/stream.hpp"
#include "kernels/frame.hpp"
#include "tests/support/placed.hpp"

namespace tw::test {
namespace {

constexpr std::size_t kHeader = FrameHeader::kBytes;
// Rows, tiles and the strides of a small grid end here and there.
constexpr std::size_t kBodies[] = {0, 16, 4080, 4096, 4112, (1 << 18) - 16, (1 << 18) + 16, (17 << 18) + 32};

FrameHeader header_of(std::uint32_t variant) {
  FrameHeader header;
  const PhiloxWords words{{variant, 1}, {2, 3}};
  for (std::uint32_t i = 0; i < header.words.size(); ++i) header.words[i] = words.word(i);
  return header;
}

Guarded<std::byte> frame_of(std::size_t body) {
  Guarded<std::byte> frame(kHeader + body, std::byte{0x77}, 48);
  const PhiloxWords words{{5, 6}, {7, 8}};
  for (std::size_t i = 0; i + 4 <= body; i += 4) {
    const std::uint32_t word = words.word(i / 4);
    std::memcpy(frame.span().data() + kHeader + i, &word, sizeof word);
  }
  return frame;
}

std::vector<std::byte> sealed_by_reference(std::size_t body, Checksum checksum) {
  Guarded<std::byte> frame = frame_of(body);
  reference::seal_in_place({}, header_of(1), checksum, {}, frame.span());
  return {frame.span().begin(), frame.span().end()};
}

class CudaFrame : public ::testing::TestWithParam<Checksum> {
 protected:
  // What a check of `frame` reports.
  std::uint32_t reported(const std::vector<std::byte>& frame, const FrameHeader& expected) {
    Guarded<std::byte> copy(frame.size(), std::byte{}, 48);
    std::copy(frame.begin(), frame.end(), copy.span().begin());
    Placed<std::byte> placed(exec_, std::move(copy));
    Placed<std::uint32_t> status(exec_, Guarded<std::uint32_t>(1));
    Exec exec = exec_;
    exec.status = status.span().data();
    check_in_place(exec, expected, GetParam(), placed.span());
    EXPECT_TRUE(placed.fetch().intact());
    return status.fetch().span().front();
  }

  cuda::Stream stream_;
  Exec exec_{.backend = Backend::cuda, .stream = stream_.get()};
};

TEST_P(CudaFrame, AreSealedToTheReferencesBytes) {
  for (const std::size_t body : kBodies) {
    Placed<std::byte> frame(exec_, frame_of(body));
    seal_in_place(exec_, header_of(1), GetParam(), {}, frame.span());
    EXPECT_TRUE(frame.fetch().intact());
    const auto sealed = frame.fetch().span();
    EXPECT_EQ(std::vector<std::byte>(sealed.begin(), sealed.end()), sealed_by_reference(body, GetParam())) << body;
  }
}

// Whichever of its sources was bad, and whatever else was found in them.
TEST_P(CudaFrame, ThatAreMadeOfABadOneNobodyAccepts) {
  const auto good = sealed_by_reference(16, GetParam());
  for (const std::size_t sources : {1, 3, 300})
    for (const std::uint32_t bits : {kStatusBadFrame, kStatusBadPayload, kStatusNonFinite})
      for (const std::size_t bad : {std::size_t{0}, sources - 1}) {
        Guarded<std::uint32_t> words(sources);
        words.span()[bad] = bits;
        auto expected = good;
        if (bits != kStatusNonFinite) std::memset(expected.data(), 0, 4);
        Guarded<std::byte> own = frame_of(16);
        reference::seal_in_place({}, header_of(1), GetParam(), words.span(), own.span());
        EXPECT_EQ(std::vector<std::byte>(own.span().begin(), own.span().end()), expected);
        Placed<std::byte> frame(exec_, frame_of(16));
        Placed<std::uint32_t> found(exec_, std::move(words));
        seal_in_place(exec_, header_of(1), GetParam(), found.span(), frame.span());
        const auto sealed = frame.fetch().span();
        EXPECT_EQ(std::vector<std::byte>(sealed.begin(), sealed.end()), expected) << bad << " of " << sources;
      }
}

TEST_P(CudaFrame, ThatAreWholeAreAccepted) {
  for (const std::size_t body : kBodies)
    EXPECT_EQ(reported(sealed_by_reference(body, GetParam()), header_of(1)), 0u) << body;
}

TEST_P(CudaFrame, EveryWordOfTheHeaderIsCompared) {
  const auto frame = sealed_by_reference(4096, GetParam());
  for (std::size_t word = 0; word < kHeader / 4; ++word) {
    auto harmed = frame;
    harmed[4 * word + word % 4] ^= std::byte{0x10};
    EXPECT_EQ(reported(harmed, header_of(1)), kStatusBadFrame) << word;
  }
  EXPECT_EQ(reported(frame, header_of(2)), kStatusBadFrame);
}

TEST_P(CudaFrame, AChecksumCoversTheWholeBody) {
  const std::uint32_t found = GetParam() == Checksum::crc32c ? kStatusBadFrame : 0u;
  for (const std::size_t body : {std::size_t{16}, std::size_t{4112}, std::size_t{(1 << 18) + 16}}) {
    const auto frame = sealed_by_reference(body, GetParam());
    for (const std::size_t at : {std::size_t{0}, body / 3, body / 2, body - 1}) {
      auto harmed = frame;
      harmed[kHeader + at] ^= std::byte{1};
      EXPECT_EQ(reported(harmed, header_of(1)), found) << "byte " << at << " of " << body;
    }
  }
}

// Sealed by the reference as of the step itself.
TEST_P(CudaFrame, MayHaveTheirStepFromARecord) {
  for (const std::uint64_t step : {std::uint64_t{0}, std::uint64_t{7}, std::uint64_t{0x8000000500000007}})
    for (const std::size_t body : std::span(kBodies).first(5)) {
      FrameHeader header = header_of(1);
      std::memcpy(&header.words[FrameHeader::kStepWord], &step, sizeof step);
      Guarded<std::byte> expected = frame_of(body);
      reference::seal_in_place({}, header, GetParam(), {}, expected.span());
      Placed<std::uint64_t> record(exec_, Guarded<std::uint64_t>(1, step));
      header = header_of(1);
      header.recorded_step = record.span().data();
      Placed<std::byte> frame(exec_, frame_of(body));
      seal_in_place(exec_, header, GetParam(), {}, frame.span());
      const auto sealed = frame.fetch().span();
      const std::vector<std::byte> bytes(sealed.begin(), sealed.end());
      EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), expected.span().begin())) << body;
      EXPECT_EQ(reported(bytes, header), 0u) << body;
      Placed<std::uint64_t> other(exec_, Guarded<std::uint64_t>(1, step ^ std::uint64_t{1} << 40));
      header.recorded_step = other.span().data();
      EXPECT_EQ(reported(bytes, header), kStatusBadFrame) << body;
    }
}

INSTANTIATE_TEST_SUITE_P(With, CudaFrame, ::testing::Values(Checksum::none, Checksum::crc32c),
                         [](const auto& info) { return info.param == Checksum::none ? "None" : "Crc32c"; });

}  // namespace
}  // namespace tw::test
