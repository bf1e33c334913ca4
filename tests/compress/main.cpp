#include <gtest/gtest.h>

#include <string_view>

#include "tests/compress/golden.hpp"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i)
    if (std::string_view(argv[i]) == "--write-golden") tw::test::set_writes_golden();
  return RUN_ALL_TESTS();
}
