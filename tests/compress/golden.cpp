#include "tests/compress/golden.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace tw::test {
namespace {
bool g_writes = false;
}

bool writes_golden() { return g_writes; }
void set_writes_golden() { g_writes = true; }

void expect_golden(const std::string& file, const std::string& text) {
  const std::string path = TW_SOURCE_DIR "/" + file;
  if (writes_golden()) {
    std::ofstream(path) << text;
    return;
  }
  std::ifstream stored(path);
  ASSERT_TRUE(stored) << path << " cannot be read";
  std::istringstream now(text);
  std::string expected, got;
  for (int line = 1; std::getline(stored, expected); ++line) {
    ASSERT_TRUE(std::getline(now, got)) << path << ':' << line << " is no longer produced";
    ASSERT_EQ(expected, got) << path << ':' << line << ": what travels has changed";
  }
  EXPECT_FALSE(std::getline(now, got)) << "not in " << path << ": " << got;
}

}  // namespace tw::test
