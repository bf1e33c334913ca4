// Frames whose bodies vary in size: the table of lengths. (Frames of every codec: codec_foreign_test.cpp.)
#include "compress/wire.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include <tightwire/error.hpp>

#include "kernels/base/crc32c.hpp"
#include "tests/support/guarded.hpp"
#include "tests/support/thrown.hpp"

namespace tw {
namespace {

// A codec that takes as many bytes as it is told, up to 16 an element.
class Elastic final : public Codec {
 public:
  std::uint16_t id() const override { return 999; }
  CodecTraits traits(const Param&) const override {
    CodecTraits traits;
    traits.fixed_size = false;
    return traits;
  }
  std::size_t max_bytes(const Extent& extent) const override { return 16 * extent.count; }
  void encode(const Context&, std::span<const EncodeJob>, std::span<std::uint32_t>) const override {}
  void validate(const Context&, std::span<const std::byte>, const Extent&) const override {}
  void decode(const Context&, std::span<const DecodeJob>, Combine, float) const override {}
};

const Param kParam{"weight", 0, 1, 100, DType::f32};
constexpr std::size_t kTable = 16;  // three lengths, padded

class ElasticFrame {
 public:
  ElasticFrame()
      : layout_(codec_, {{&kParam, 0, 4}, {&kParam, 4, 2}, {&kParam, 6, 3}}), room_(layout_.max_frame_bytes()) {
    for (std::size_t i = 0; i < 3; ++i) {
      const auto body = layout_.body_room(room_.span(), i);
      std::fill(body.begin(), body.end(), static_cast<std::byte>(i + 1));
    }
  }

  std::span<std::byte> seal(std::initializer_list<std::uint32_t> body_bytes) {
    bytes_ = seal_frame(id_, layout_, Checksum::crc32c, {body_bytes.begin(), body_bytes.size()}, room_.span());
    return room_.span().first(bytes_);
  }
  std::span<std::byte> frame() { return room_.span().first(bytes_); }

  void open(std::span<const std::byte> frame) { open_frame(id_, layout_, Checksum::crc32c, frame, bodies_); }
  std::span<const std::byte> body(std::size_t i) const { return bodies_[i]; }

  void set_length(std::size_t body, std::uint32_t bytes) {
    std::memcpy(room_.span().data() + kFrameHeaderBytes + body * sizeof bytes, &bytes, sizeof bytes);
    const std::uint32_t crc = crc32c(frame().subspan(kFrameHeaderBytes), crc32c(frame().first(kFrameHeaderBytes - 4)));
    std::memcpy(room_.span().data() + kFrameHeaderBytes - 4, &crc, sizeof crc);
  }

 private:
  Elastic codec_;
  FrameId id_;
  FrameLayout layout_;
  test::Guarded<std::byte> room_;
  std::size_t bytes_ = 0;
  std::span<const std::byte> bodies_[3];
};

TEST(Wire, BodiesOfVariableSizeMoveTogether) {
  ElasticFrame elastic;
  const auto frame = elastic.seal({32, 0, 48});
  EXPECT_EQ(frame.size(), kFrameHeaderBytes + kTable + 32 + 0 + 48);
  elastic.open(frame);
  EXPECT_EQ(elastic.body(0).size(), 32u);
  EXPECT_EQ(elastic.body(1).size(), 0u);
  EXPECT_EQ(elastic.body(2).size(), 48u);
  for (const std::size_t i : {0u, 2u})
    EXPECT_TRUE(std::all_of(elastic.body(i).begin(), elastic.body(i).end(),
                            [&](std::byte b) { return b == static_cast<std::byte>(i + 1); }));
}

TEST(Wire, LengthsThatDoNotAddUpAreRefused) {
  const auto refused = [](std::uint32_t first, std::uint32_t second, const char* part) {
    ElasticFrame elastic;
    elastic.seal({32, 16, 48});
    elastic.set_length(0, first);
    elastic.set_length(1, second);
    const auto message = test::message_of<WireError>([&] { elastic.open(elastic.frame()); });
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  refused(16, 16, "16 bytes too many");
  refused(48, 16, "body 2 claims 48 bytes");
  refused(80, 16, "body 0 claims 80 bytes, room is for 64");
  refused(33, 16, "body 0 claims 33 bytes");
  refused(0xfffffff0, 16, "body 0 claims 4294967280 bytes");
}

TEST(Wire, ErrorsNameTheFieldBothValuesAndTheRank) {
  Elastic codec;
  const FrameLayout layout(codec, {{&kParam, 0, 0}});
  test::Guarded<std::byte> room(layout.max_frame_bytes());
  FrameId id;
  id.source = 6;
  id.step = 41;
  const std::uint32_t none = 0;
  const std::size_t bytes = seal_frame(id, layout, Checksum::crc32c, {&none, 1}, room.span());
  id.step = 42;
  std::span<const std::byte> body;
  EXPECT_EQ(test::message_of<WireError>([&] {
              open_frame(id, layout, Checksum::crc32c, room.span().first(bytes), {&body, 1});
            }),
            "frame from rank 6: step is 41, expected 42");
}

}  // namespace
}  // namespace tw
