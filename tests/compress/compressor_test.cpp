// Specs that mean something: names, keys, ranges, memories, and the rules that give parameters their codec. Bad ones
// are answered with what would be right.
#include "compress/compressor.hpp"

#include <gtest/gtest.h>

#include <tightwire/error.hpp>

#include "compress/registry.hpp"
#include "tests/support/thrown.hpp"

namespace tw {
namespace {

std::string canonical(const char* spec) { return Compressor(spec).canonical_spec(); }

std::string refusal(const std::string& spec) {
  return test::message_of<UsageError>([&] { Compressor compressor(spec); });
}

void expect_refused(const char* spec, std::initializer_list<const char*> parts) {
  const std::string message = refusal(spec);
  for (const char* part : parts) EXPECT_NE(message.find(part), std::string::npos) << spec << ": " << message;
}

TEST(Compressor, CanonicalSpecsSayEverything) {
  EXPECT_EQ(canonical("identity"), "identity");
  EXPECT_EQ(canonical("int8+ef"), "int8:block=256+ef");
  EXPECT_EQ(canonical("onebit"), "onebit:block=256");
  EXPECT_EQ(canonical("topk"), "topk:ratio=0.01");
  EXPECT_EQ(canonical("topk:count=5"), "topk:count=5");
  EXPECT_EQ(canonical("qsgd:norm=l2,bits=8"), "qsgd:bits=8,block=512,norm=l2");
  EXPECT_EQ(canonical("randomk:ratio=1e-2"), "randomk:ratio=0.01,mode=biased");
  for (const CodecRow& row : codec_table()) {
    const std::string spec = canonical(std::string(row.name).c_str());
    EXPECT_EQ(canonical(spec.c_str()), spec);
  }
}

TEST(Compressor, TheHashIsOfTheCodecAlone) {
  EXPECT_EQ(Compressor("int8").codec_hash(), Compressor("int8:block=256+ef").codec_hash());
  EXPECT_NE(Compressor("int8").codec_hash(), Compressor("int8:block=512").codec_hash());
}

TEST(Compressor, UnknownNamesAreAnsweredWithTheKnownOnes) {
  expect_refused("int7", {"unknown codec 'int7'", "identity", "int8", "topk", "qsgd", "onebit", "randomk", "fp16"});
  expect_refused("int8+fe", {"unknown memory 'fe'", "ef"});
  expect_refused("int8+ef+ef", {"2 memories"});
  expect_refused("int8:blok=32", {"no key 'blok'", "block (32 to 65536)"});
  expect_refused("identity:x=1", {"no key 'x'", "it takes none"});
  expect_refused("qsgd:norm=l1", {"norm=l1", "max | l2"});
}

TEST(Compressor, ValuesOutOfRangeAreAnsweredWithTheRange) {
  expect_refused("topk:ratio=0", {"ratio=0 ", "above 0, up to 1"});
  expect_refused("topk:ratio=2", {"ratio=2 ", "above 0, up to 1"});
  expect_refused("topk:ratio=nan", {"ratio=nan", "above 0, up to 1"});
  expect_refused("topk:ratio=0.1x", {"ratio=0.1x"});
  expect_refused("topk:count=0", {"count=0", "1 to 16777216"});
  expect_refused("topk:count=-1", {"count=-1"});
  expect_refused("topk:ratio=0.1,count=5", {"ratio= or count=, not both"});
  expect_refused("int8:block=0", {"block=0", "32 to 65536"});
  expect_refused("int8:block=100", {"block=100", "multiple of 32"});
  expect_refused("onebit:block=8192", {"block=8192", "32 to 4096"});
  expect_refused("qsgd:bits=1", {"bits=1", "2 to 8"});
  expect_refused("qsgd:bits=9", {"bits=9", "2 to 8"});
  expect_refused("qsgd:bits=99999999999999999999", {"2 to 8"});
}

TEST(Compressor, FeedbackNeedsAContraction) {
  for (const char* spec : {"qsgd+ef", "qsgd:bits=4,norm=l2+ef", "randomk:mode=unbiased+ef"})
    expect_refused(spec, {"needs a codec whose error is smaller than its input", "without bound"});
  for (const char* spec : {"qsgd:bits=8+ef", "qsgd:bits=4,block=384+ef", "qsgd:bits=4,block=192,norm=l2+ef",
                           "randomk+ef", "topk+ef", "onebit+ef", "int8+ef", "bf16+ef", "fp16+ef", "identity+ef"})
    EXPECT_NO_THROW(Compressor{spec}) << spec;
}

Param param_of(const char* name, std::uint64_t count) { return {name, 0, 1, count, DType::f32}; }

TEST(CompressorTable, LaterRulesWin) {
  const std::pair<std::string, std::string> rules[] = {
      {"*bias*", "identity"}, {"count<4096", "bf16"}, {"fc2.*", "topk+ef"}, {"count>=1000000", "onebit+ef"}};
  const CompressorTable table("int8+ef", rules);
  const auto spec = [&](const char* name, std::uint64_t count) {
    return table.for_param(param_of(name, count)).canonical_spec();
  };
  EXPECT_EQ(spec("fc1.weight", 5000), "int8:block=256+ef");
  EXPECT_EQ(spec("fc1.bias", 5000), "identity");
  EXPECT_EQ(spec("fc1.bias", 4095), "bf16");
  EXPECT_EQ(spec("fc1.bias", 4096), "identity");
  EXPECT_EQ(spec("fc2.bias", 10), "topk:ratio=0.01+ef");
  EXPECT_EQ(spec("fc2.weight", 1000000), "onebit:block=256+ef");
  EXPECT_EQ(table.description(),
            "codec of '*': int8:block=256+ef\ncodec of '*bias*': identity\ncodec of 'count<4096': bf16\n"
            "codec of 'fc2.*': topk:ratio=0.01+ef\ncodec of 'count>=1000000': onebit:block=256+ef");
}

TEST(CompressorTable, BadRulesAreRefused) {
  const auto refused = [](const char* pattern, const char* spec, const char* part) {
    const std::pair<std::string, std::string> rules[] = {{pattern, spec}};
    const auto message = test::message_of<UsageError>([&] { CompressorTable table("int8", rules); });
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  refused("count<", "identity", "count<N and count>=N");
  refused("count<4k", "identity", "count<N and count>=N");
  refused("count>=-1", "identity", "count<N and count>=N");
  refused("*", "int9", "unknown codec 'int9'");
  EXPECT_THROW(CompressorTable("nothing", {}), UsageError);
}

}  // namespace
}  // namespace tw
