// The command line as users meet it: exit codes, one line an error, what options accept.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/command.hpp"
#include "bench/sizes.hpp"
#include "bench/table.hpp"
#include "kernels/base/check.hpp"

namespace tw {
namespace {

struct Seen {
  std::uint64_t ranks = 3;
  std::uint64_t bytes = 64;
  std::vector<std::string> rest;
};
Seen seen;

class Probe final : public Command {
 public:
  void declare(Options& options) override {
    options.integer("-n,--ranks", seen_.ranks, {1, 64}, "how many");
    options.bytes("-b,--bytes", seen_.bytes, "size");
    options.rest("CMD", seen_.rest, "what to run");
  }
  int run() override {
    seen = seen_;
    TW_CHECK(seen_.rest.empty() || seen_.rest[0] != "fail", SystemError, "two\nlines");
    return 7;
  }

 private:
  Seen seen_;
};

class Plain final : public Command {
 public:
  void declare(Options&) override {}
  int run() override { return kExitOk; }
};

constexpr CommandRow kRows[] = {{"group probe", "probes", [] { return std::unique_ptr<Command>(new Probe); }},
                                {"plain", "takes nothing", [] { return std::unique_ptr<Command>(new Plain); }}};

struct Result {
  int code;
  std::string out, err;
};

Result run(std::vector<const char*> words, std::span<const CommandRow> rows = kRows) {
  words.insert(words.begin(), "tightwire");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = run_command_line(static_cast<int>(words.size()), words.data(), rows);
  return {code, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

TEST(CommandLine, PassesOptionsAndTheWordsAfterTheDashes) {
  const Result result = run({"group", "probe", "-n", "5", "-b", "4K", "--", "plain", "--help", "--", "-n"});
  EXPECT_EQ(result.code, 7) << result.err;
  EXPECT_EQ(seen.ranks, 5u);
  EXPECT_EQ(seen.bytes, 4096u);
  EXPECT_EQ(seen.rest, (std::vector<std::string>{"plain", "--help", "--", "-n"}));
}

TEST(CommandLine, RefusesWithOneLineThatSaysWhatIsKnown) {
  struct {
    std::vector<const char*> words;
    const char* expected;
  } const cases[] = {
      {{"grup"}, "tightwire: unknown subcommand 'grup'; known: group, plain (see tightwire --help)\n"},
      {{"group", "x"}, "tightwire: unknown subcommand 'x'; known: probe (see tightwire --help)\n"},
      {{"plain", "--", "x"}, "tightwire plain: takes nothing after '--' (see tightwire plain --help)\n"},
  };
  for (const auto& one : cases) {
    const Result result = run(one.words);
    EXPECT_EQ(result.code, kExitUsage);
    EXPECT_EQ(result.err, one.expected);
    EXPECT_EQ(result.out, "");
  }
}

TEST(CommandLine, RefusesBadOptionsAsUsage) {
  const std::vector<const char*> cases[] = {{},
                                            {"group"},
                                            {"plain", "--nope"},
                                            {"plain", "extra"},
                                            {"group", "probe", "-n", "0"},
                                            {"group", "probe", "-n", "65"},
                                            {"group", "probe", "-n", "two"},
                                            {"group", "probe", "-b", "4Q"}};
  for (const auto& words : cases) {
    const Result result = run(words);
    EXPECT_EQ(result.code, kExitUsage) << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
}

TEST(CommandLine, TellsFailureFromMisuse) {
  const Result result = run({"group", "probe", "--", "fail"});
  EXPECT_EQ(result.code, kExitFailed);
  EXPECT_EQ(result.err, "tightwire group probe: two lines\n");
}

TEST(CommandLine, VersionAndHelpSucceed) {
  EXPECT_EQ(run({"--version"}).code, kExitOk);
  EXPECT_EQ(run({"--version"}).out.substr(0, 10), "tightwire ");
  const Result help = run({"group", "probe", "--help"});
  EXPECT_EQ(help.code, kExitOk);
  EXPECT_NE(help.out.find("--ranks"), std::string::npos);
}

TEST(CommandLine, InfoSpeaksForPeopleAndAsJson) {
  const Result text = run({"info"}, command_table());
  EXPECT_EQ(text.code, kExitOk);
  EXPECT_NE(text.out.find("identity"), std::string::npos);

  const auto info = nlohmann::json::parse(run({"info", "--json"}, command_table()).out);
  EXPECT_EQ(info["schema_version"], 1);
  EXPECT_FALSE(info["ucx"].get<std::string>().empty());
  EXPECT_EQ(info["nccl"].get<std::string>().substr(0, 4), "NCCL");
  EXPECT_FALSE(info["cuda"].get<std::string>().empty());
  for (const auto& transport : info["transports"]) {
    const std::string memory = transport["device_memory"], wanted = transport["name"] == "nccl"       ? "direct"
                                                                    : transport["name"] == "counting" ? "as inner"
                                                                                                      : "staged";
    EXPECT_TRUE(memory.starts_with(wanted)) << transport["name"] << ": " << memory;
  }
  for (const char* key : {"date", "revision", "version", "compiler", "cpu", "cores", "threads", "link"})
    EXPECT_TRUE(info["context"].contains(key)) << key;
  bool found = false;
  for (const auto& codec : info["codecs"])
    if (codec["name"] == "identity") {
      found = true;
      EXPECT_EQ(codec["bits_per_element"], 32.0);
    }
  EXPECT_TRUE(found);
  // Residuals at both hops and in both buffers: (1 + 1/4) elements of 4 bytes, twice.
  EXPECT_EQ(info["memories"][0]["bytes_per_element"], 10.0);
}

TEST(CommandLine, ContextNeverHoldsTheWholeEnvironment) {
  setenv("SECRET_TOKEN", "hunter2", 1);
  setenv("UCX_TLS", "tcp", 1);
  const auto environment =
      nlohmann::json::parse(run({"info", "--json"}, command_table()).out)["context"]["environment"];
  EXPECT_EQ(environment["UCX_TLS"], "tcp");
  EXPECT_FALSE(environment.contains("SECRET_TOKEN"));
  unsetenv("SECRET_TOKEN");
  unsetenv("UCX_TLS");
}

TEST(Sizes, ReadsPowersOf1024) {
  EXPECT_EQ(parse_bytes("0"), 0u);
  EXPECT_EQ(parse_bytes("4096"), 4096u);
  EXPECT_EQ(parse_bytes("64K"), 64u << 10);
  EXPECT_EQ(parse_bytes("64k"), 64u << 10);
  EXPECT_EQ(parse_bytes("64KiB"), 64u << 10);
  EXPECT_EQ(parse_bytes("3MB"), 3u << 20);
  EXPECT_EQ(parse_bytes("1G"), 1u << 30);
  EXPECT_EQ(short_bytes(65536), "64K");
  EXPECT_EQ(short_bytes(100), "100");
}

TEST(Sizes, RefusesEverythingElse) {
  for (const char* text : {"", "K", "-1", "1.5M", "4 K", "4KX", "4Ki", "99999999999999999999", "17179869184G"})
    EXPECT_THROW(parse_bytes(text), UsageError) << text;
}

TEST(TextTable, AlignsNumbersRightAndEscapesMarkdown) {
  TextTable table({"codec", "ms"});
  table.add({"a|b", "9.5"});
  table.add({"int8", "10.25"});
  EXPECT_EQ(table.aligned(), "codec     ms\na|b      9.5\nint8   10.25\n");
  EXPECT_EQ(table.markdown(), "| codec | ms |\n|---|---:|\n| a\\|b | 9.5 |\n| int8 | 10.25 |\n");
  EXPECT_THROW(table.add({"1", "2", "3"}), UsageError);
}

}  // namespace
}  // namespace tw
