// The contract of codecs, for every row of the registry: bytes from outside. Frames that are not whole are refused;
// bodies that pass the checksum but were made by somebody else are refused or decode inside their run.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include <tightwire/error.hpp>

#include "compress/wire.hpp"
#include "kernels/base/crc32c.hpp"
#include "kernels/base/philox.hpp"
#include "tests/compress/codec_harness.hpp"

namespace tw::test {
namespace {

constexpr std::uint64_t kCount = 777;
constexpr std::size_t kCrcAt = kFrameHeaderBytes - sizeof(std::uint32_t);

template <class Visit>
void for_each_spec(Visit visit) {
  for (const Backend backend : backends_under_test())
    for (const std::string& spec : specs_under_test()) {
      SCOPED_TRACE(spec);
      visit(Coding(spec, make_param(kCount), backend));
    }
}

// A frame of two runs, as a chunk would carry them.
class Frame {
 public:
  Frame(Coding& coding, Checksum checksum)
      : coding_(coding),
        checksum_(checksum),
        layout_(coding.codec(), {{&coding.param(), 0, kCount}, {&coding.param(), 0, kCount}}),
        bytes_(layout_.max_frame_bytes()) {
    id_.communicator = 0xabc;
    id_.codec = coding.codec().id();
    id_.plan_hash = 0x1111;
    id_.codec_hash = coding.compressor().codec_hash();
    id_.epoch = 2;
    id_.bucket = 3;
    id_.step = kKey.step;
    id_.chunk = 4;
    id_.source = kKey.rank;
    const auto x = make_input(Family::gaussian, kCount), z = make_input(Family::ties, kCount);
    const Input inputs[] = {{&coding.param(), 0, x}, {&coding.param(), 0, z}};
    const auto bodies = coding.encode_together(inputs);
    std::uint32_t body_bytes[2];
    for (std::size_t i = 0; i < 2; ++i) {
      std::copy(bodies[i].begin(), bodies[i].end(), layout_.body_room(bytes_.span(), i).begin());
      body_bytes[i] = static_cast<std::uint32_t>(bodies[i].size());
    }
    seal_frame(id_, layout_, checksum, body_bytes, bytes_.span());
  }

  std::span<std::byte> bytes() { return bytes_.span(); }
  FrameId& id() { return id_; }

  // What a receiver does.
  void open(std::span<const std::byte> frame) {
    std::span<const std::byte> bodies[2];
    open_frame(id_, layout_, checksum_, frame, bodies);
    for (const auto body : bodies) {
      coding_.codec().validate(coding_.context(), body, {&coding_.param(), 0, kCount});
      coding_.decode(body, kCount);
    }
  }

  void repair_checksum() {
    const std::uint32_t crc = crc32c(bytes().subspan(kFrameHeaderBytes), crc32c(bytes().first(kCrcAt)));
    std::memcpy(bytes().data() + kCrcAt, &crc, sizeof crc);
  }

 private:
  Coding& coding_;
  Checksum checksum_;
  FrameLayout layout_;
  Guarded<std::byte> bytes_;
  FrameId id_;
};

TEST(CodecForeign, WholeFramesOpen) {
  for_each_spec([](Coding coding) {
    for (const Checksum checksum : {Checksum::crc32c, Checksum::none}) {
      Frame frame(coding, checksum);
      EXPECT_NO_THROW(frame.open(frame.bytes()));
    }
  });
}

TEST(CodecForeign, TruncatedAndExtendedFramesAreRefused) {
  for_each_spec([](Coding coding) {
    for (const Checksum checksum : {Checksum::crc32c, Checksum::none}) {
      Frame frame(coding, checksum);
      const auto bytes = frame.bytes();
      for (const std::size_t missing :
           {std::size_t{1}, std::size_t{4}, std::size_t{16}, bytes.size() / 2, bytes.size()})
        EXPECT_THROW(frame.open(bytes.first(bytes.size() - missing)), WireError) << missing << " bytes missing";
      EXPECT_THROW(frame.open(bytes.first(kFrameHeaderBytes)), WireError) << "a header alone";
      for (const std::size_t more : {1u, 16u}) {
        std::vector<std::byte> longer(bytes.begin(), bytes.end());
        longer.resize(bytes.size() + more);
        EXPECT_THROW(frame.open(longer), WireError) << more << " bytes too many";
      }
    }
  });
}

TEST(CodecForeign, EveryFlippedBitIsFound) {
  for_each_spec([](Coding coding) {
    Frame frame(coding, Checksum::crc32c);
    const auto bytes = frame.bytes();
    for (std::size_t at = 0; at < bytes.size(); at += at < kFrameHeaderBytes ? 1 : 37) {
      const std::byte flipped{static_cast<unsigned char>(1u << at % 8)};
      bytes[at] ^= flipped;
      EXPECT_THROW(frame.open(bytes), WireError) << "byte " << at;
      bytes[at] ^= flipped;
    }
    EXPECT_NO_THROW(frame.open(bytes));
  });
}

// Without a checksum, and with one that was repaired, every field of the header still tells a foreign frame.
TEST(CodecForeign, EveryHeaderFieldIsCompared) {
  for (const Checksum checksum : {Checksum::crc32c, Checksum::none}) {
    Coding coding("int8", make_param(kCount));
    Frame frame(coding, checksum);
    for (std::size_t at = 0; at < kCrcAt; ++at) {
      frame.bytes()[at] ^= std::byte{0x40};
      if (checksum == Checksum::crc32c) frame.repair_checksum();
      EXPECT_THROW(frame.open(frame.bytes()), WireError) << "byte " << at;
      frame.bytes()[at] ^= std::byte{0x40};
    }
  }
}

TEST(CodecForeign, FramesOfOthersAreRefused) {
  Coding coding("int8", make_param(kCount));
  const auto refused = [&](auto change) {
    Frame frame(coding, Checksum::crc32c);
    change(frame.id());
    EXPECT_THROW(frame.open(frame.bytes()), WireError);
  };
  refused([](FrameId& id) { id.communicator += 1; });
  refused([](FrameId& id) { id.codec += 1; });
  refused([](FrameId& id) { id.hop = Hop::owner; });
  refused([](FrameId& id) { id.plan_hash += 1; });
  refused([](FrameId& id) { id.codec_hash += 1; });
  refused([](FrameId& id) { id.epoch += 1; });
  refused([](FrameId& id) { id.bucket += 1; });
  refused([](FrameId& id) { id.step -= 1; });
  refused([](FrameId& id) { id.chunk += 1; });
  refused([](FrameId& id) { id.source += 1; });
}

// The harness's canaries find a decode that leaves its run.
TEST(CodecForeign, BodiesWithARepairedChecksumThrowOrStayInBounds) {
  for_each_spec([](Coding coding) {
    std::uint32_t refused = 0, decoded = 0;
    for (std::uint32_t seed = 0; seed < 40; ++seed) {
      Frame frame(coding, Checksum::crc32c);
      const PhiloxWords words{{seed, 0xbad}, {0, 0}};
      const auto body = frame.bytes().subspan(kFrameHeaderBytes);
      if (seed % 2 == 0)  // all of it, or a few bytes
        for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<std::byte>(words.word(i));
      else
        for (std::uint32_t i = 0; i < 3; ++i)
          body[words.word(i) % body.size()] ^= static_cast<std::byte>(words.word(9 + i));
      frame.repair_checksum();
      try {
        frame.open(frame.bytes());
        ++decoded;
      } catch (const WireError&) {
        ++refused;
      }
    }
    EXPECT_EQ(refused + decoded, 40u);
    const bool carries_indices = coding.traits().sparse && !coding.traits().linear;
    EXPECT_EQ(refused != 0, carries_indices) << "only indices can point outside";
  });
}

// What the host refuses, a device reports; it decodes all the same, inside the run.
TEST(CodecForeign, BodiesOnADeviceAreReportedWhereTheHostRefusesThem) {
  for_each_spec([](Coding coding) {
    if (coding.exec().backend != Backend::cuda) return;
    const Extent extent{&coding.param(), 0, kCount};
    auto body = coding.encode(make_input(Family::gaussian, kCount));
    for (std::uint32_t seed = 0; seed < 20; ++seed) {
      const PhiloxWords words{{seed, 0xdef}, {0, 0}};
      auto foreign = body;
      for (std::size_t i = 0; i < foreign.size() && seed % 2 == 0; ++i)
        foreign[i] = static_cast<std::byte>(words.word(i));
      for (std::uint32_t i = 0; i < 3 && seed % 2 != 0; ++i)
        foreign[words.word(i) % foreign.size()] ^= static_cast<std::byte>(words.word(9 + i));
      bool refused = false;
      try {
        coding.codec().validate(coding.context(), foreign, extent);
      } catch (const WireError&) {
        refused = true;
      }
      EXPECT_EQ((coding.decode_unseen(foreign, kCount) & kStatusBadPayload) != 0, refused) << "seed " << seed;
    }
  });
}

// Ranks on different machines stay bit-equal even over bytes that no encoder of ours writes.
TEST(CodecForeign, BodiesDecodeAlikeOnEveryBackend) {
  for (const std::string& spec : specs_under_test()) {
    SCOPED_TRACE(spec);
    Coding reference(spec, make_param(kCount), Backend::reference),
        fast(spec, make_param(kCount), backends_under_test().back());
    if (reference.codec().selection() != nullptr && !reference.traits().linear) continue;  // random indices are refused
    for (std::uint32_t seed = 0; seed < 10; ++seed) {
      const PhiloxWords words{{seed, 0xf0e}, {0, 0}};
      std::vector<std::byte> body(reference.codec().max_bytes({&reference.param(), 0, kCount}));
      for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<std::byte>(words.word(i));
      EXPECT_TRUE(same_values(reference.decode(body, kCount), fast.decode(body, kCount)));
    }
  }
}

TEST(CodecForeign, BodiesOfAnotherSizeAreRefused) {
  for_each_spec([](Coding coding) {
    const Extent extent{&coding.param(), 0, kCount};
    const std::size_t bytes = coding.codec().max_bytes(extent);
    const std::vector<std::byte> body(bytes + 16);
    for (const std::size_t wrong : {std::size_t{0}, bytes - 16, bytes + 16})
      EXPECT_THROW(coding.codec().validate(coding.context(), std::span(body).first(wrong), extent), WireError);
  });
}

TEST(CodecForeign, IndicesMustAscendInsideTheRun) {
  Coding coding("topk:count=3", make_param(kCount));
  const Extent extent{&coding.param(), 0, kCount};
  const auto verdict = [&](std::uint32_t a, std::uint32_t b, std::uint32_t c) {
    std::vector<std::byte> body(32);
    const std::uint32_t indices[] = {a, b, c};
    std::memcpy(body.data(), indices, sizeof indices);
    coding.codec().validate(coding.context(), body, extent);
  };
  EXPECT_NO_THROW(verdict(0, 1, kCount - 1));
  EXPECT_THROW(verdict(0, 1, kCount), WireError);
  EXPECT_THROW(verdict(0, 1, 0xffffffff), WireError);
  EXPECT_THROW(verdict(5, 5, 6), WireError);
  EXPECT_THROW(verdict(5, 4, 6), WireError);
}

}  // namespace
}  // namespace tw::test
