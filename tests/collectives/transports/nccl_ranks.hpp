// Ranks that speak over the transport `nccl` on the stand-in for NCCL, each with a stream and memory of its device.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/collectives/device_contract.hpp"
#include "tests/support/mock_nccl.hpp"

namespace tw::test {

using NcclRank = DeviceRank;

/// Makes progress until a group that was posted has started, as it must have before anything else is posted.
inline Request started(NcclRank& self, Request request) {
  while (!request.started()) self.transport().progress(Deadline::in(60));
  return request;
}

class NcclTest : public testing::Test {
 public:
  static void run(std::uint32_t ranks, const std::function<void(NcclRank&)>& body, ConnectOptions options = kOptions) {
    run_on_devices(ranks, body, {options});
  }
  inline static const ConnectOptions kOptions{.transport = "nccl:control=(loopback)"};
  /// Nobody is left, and nobody broke NCCL's rules.
  static void settled() {
    EXPECT_EQ(MockNccl::communicators(), 0u);
    EXPECT_EQ(MockNccl::violations(), std::vector<std::string>());
  }

 protected:
  void SetUp() override { MockNccl::reset(); }
  void TearDown() override { settled(); }
};

}  // namespace tw::test
