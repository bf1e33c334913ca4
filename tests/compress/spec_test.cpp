#include "compress/spec.hpp"

#include <gtest/gtest.h>

#include <tightwire/error.hpp>

#include "tests/support/thrown.hpp"

namespace tw {
namespace {

TEST(Spec, ParsesTermsAndArguments) {
  const auto terms = parse_spec("topk:ratio=0.01,values=(int8:block=32+ef),indices=rice+ef");
  ASSERT_EQ(terms.size(), 2u);
  EXPECT_EQ(terms[0].name, "topk");
  ASSERT_EQ(terms[0].arguments.size(), 3u);
  EXPECT_EQ(terms[0].arguments[0].key, "ratio");
  EXPECT_EQ(terms[0].arguments[0].value, "0.01");
  EXPECT_FALSE(terms[0].arguments[0].nested);
  EXPECT_EQ(terms[0].arguments[1].value, "int8:block=32+ef");
  EXPECT_TRUE(terms[0].arguments[1].nested);
  EXPECT_EQ(terms[1].name, "ef");
  EXPECT_TRUE(terms[1].arguments.empty());
}

TEST(Spec, PrintsWhatItParsed) {
  for (const char* text : {"identity", "int8:block=256+ef", "topk:ratio=0.01,values=(int8:a=(b:c=d)),x=y+rans+ef"})
    EXPECT_EQ(print_spec(parse_spec(text)), text);
}

TEST(Spec, SaysWhereTextStopsMakingSense) {
  const std::pair<const char*, const char*> cases[] = {{"", "expected a name at character 1"},
                                                       {"+ef", "expected a name at character 1"},
                                                       {"int8+", "expected a name at character 6"},
                                                       {"int8:", "expected a key at character 6"},
                                                       {"int8:block", "expected '=' after the key"},
                                                       {"int8:block=", "expected a value at character 12"},
                                                       {"int8:block=1,", "expected a key"},
                                                       {"int8 ", "expected nothing more"},
                                                       {"topk:v=(int8", "expected ')'"},
                                                       {"topk:v=()", "expected a name"},
                                                       {"int8:block=1,block=2", "'block' is given twice"},
                                                       {"int8:block=1=2", "expected nothing more"}};
  for (const auto& [text, message] : cases)
    EXPECT_NE(test::message_of<UsageError>([&, t = text] { parse_spec(t); }).find(message), std::string::npos)
        << text << ": " << test::message_of<UsageError>([&, t = text] { parse_spec(t); });
}

}  // namespace
}  // namespace tw
