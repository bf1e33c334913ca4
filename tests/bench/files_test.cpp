// Whole files: replaced at once, errors that name them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "kernels/base/check.hpp"
#include "tools/files.hpp"

namespace tw {
namespace {

class Files : public testing::Test {
 protected:
  Files() {
    char path[] = "/tmp/tightwire-files-XXXXXX";
    folder_ = mkdtemp(path);
  }
  ~Files() override { std::filesystem::remove_all(folder_); }
  std::string path(const char* name) const { return folder_ + "/" + name; }
  std::string folder_;
};

template <class Error>
std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST_F(Files, ComeBackAsWritten) {
  write_text(path("a"), "old");
  write_text(path("a"), std::string("new\0text", 8));
  EXPECT_EQ(read_text(path("a")), std::string("new\0text", 8));
  EXPECT_FALSE(std::filesystem::exists(path("a.part")));
  write_json(path("b"), {{"z", 1}, {"a", 2}});
  EXPECT_EQ(read_json(path("b")).dump(), R"({"z":1,"a":2})");
}

TEST_F(Files, ErrorsNameTheFile) {
  EXPECT_EQ(message_of<SystemError>([&] { read_text(path("none")); }),
            "cannot read '" + path("none") + "': No such file or directory");
  EXPECT_EQ(message_of<SystemError>([&] { read_text(folder_); }), "cannot read '" + folder_ + "': it is a directory");
  EXPECT_NE(message_of<SystemError>([&] { write_text(path("no/such"), "x"); }).find(path("no/such")),
            std::string::npos);
  write_text(path("half"), R"({"a": )");
  EXPECT_NE(message_of<UsageError>([&] { read_json(path("half")); }).find("'" + path("half") + "' is not JSON"),
            std::string::npos);
}

}  // namespace
}  // namespace tw
