// Finding a libnccl at run time. The real one is looked at where there is one: loading it needs no GPU.
#include "collectives/transports/nccl/library.hpp"

#include <gmock/gmock.h>
#include <tightwire/connect.hpp>
#include <tightwire/error.hpp>

#include "collectives/transport.hpp"
#include "collectives/transports/nccl/nccl.hpp"
#include "kernels/cuda/device.hpp"
#include "tests/support/thrown.hpp"

namespace tw::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(NcclLibrary, AMissingFileIsNamed) {
  const nccl::Library library = nccl::load_library("/nowhere/libnccl.so.2");
  EXPECT_FALSE(library.api.has_value());
  EXPECT_THAT(library.missing, StartsWith("no NCCL library: /nowhere/libnccl.so.2: "));
}

TEST(NcclLibrary, AnotherLibraryIsRefusedByWhatItLacks) {
  const nccl::Library library = nccl::load_library("libm.so.6");
  EXPECT_FALSE(library.api.has_value());
  EXPECT_THAT(library.missing, HasSubstr("libm.so.6 lacks ncclGetVersion, ncclGetUniqueId, ncclCommInitRankConfig"));
}

TEST(NcclLibrary, AnOldLibraryIsRefusedByItsVersion) {
  const nccl::Library library = nccl::load_library(TW_TEST_OLD_NCCL);
  EXPECT_FALSE(library.api.has_value());
  EXPECT_THAT(library.missing, HasSubstr(" is NCCL 2.8.4; at least 2.18.1 is needed"));
}

TEST(NcclLibrary, VersionsReadAsPeopleWriteThem) {
  EXPECT_EQ(nccl::version_text(22809), "2.28.9");
  EXPECT_EQ(nccl::version_text(21801), "2.18.1");
  EXPECT_EQ(nccl::version_text(2804), "2.8.4");
}

TEST(NcclLibrary, TheRealOneIsFoundOrItsAbsenceExplained) {
  const nccl::Library& library = nccl::default_library();
  std::cout << "found: " << nccl_summary() << std::endl;
  if (!library.missing.empty()) {
    EXPECT_FALSE(library.api.has_value());
    EXPECT_THAT(library.missing, testing::AnyOf(HasSubstr("nccl:library=PATH"), HasSubstr("is needed")));
    EXPECT_THAT(nccl_unavailable(), library.missing);
    GTEST_SKIP() << "no libnccl here: " << library.missing;
  }
  ASSERT_TRUE(library.api.has_value());
  EXPECT_GE(library.version, nccl::kOldestVersion);
  int version = 0;
  EXPECT_EQ(library.api->get_version(&version), ncclSuccess);
  EXPECT_EQ(version, library.version);
  EXPECT_THAT(library.api->get_error_string(ncclInvalidUsage), HasSubstr("invalid usage"));
  EXPECT_THAT(library.path, HasSubstr("libnccl"));
  EXPECT_THAT(nccl_summary(), StartsWith("NCCL " + nccl::version_text(version) + " (" + library.path + ")"));
  EXPECT_EQ(nccl_unavailable(), cuda::unavailable());
}

TEST(NcclLibrary, ASpecMayNameTheFile) {
  EXPECT_THAT(message_of<UsageError>([] { connect_threads(1, {.transport = "nccl:library=/nowhere/libnccl.so.2"}); }),
              StartsWith("transport 'nccl' cannot be used here: no NCCL library: /nowhere/libnccl.so.2: "));
}

}  // namespace
}  // namespace tw::test
