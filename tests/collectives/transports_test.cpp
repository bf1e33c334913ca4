// The transports that need nothing but this process, under the contract.
#include "collectives/transports/table.hpp"
#include "tests/collectives/transport_contract.hpp"

namespace tw::test {

INSTANTIATE_TEST_SUITE_P(Loopback, TransportContract, testing::Values("loopback"));
INSTANTIATE_TEST_SUITE_P(Loopback, OrderlyAbort, testing::Values("loopback", "rate_limited:inner=(loopback)"));
INSTANTIATE_TEST_SUITE_P(Wrapped, TransportContract,
                         testing::Values("counting:inner=(loopback)", "faulty:inner=(loopback)",
                                         "faulty:seed=1,delay=20,inner=(loopback)",
                                         "rate_limited:gbit=40,inner=(loopback)",
                                         "counting:inner=(rate_limited:gbit=40,burst=1,inner=(faulty:delay=3,inner=("
                                         "loopback)))"));
INSTANTIATE_TEST_SUITE_P(Tcp, TransportContract, testing::Values("tcp"));
INSTANTIATE_TEST_SUITE_P(Tcp, OrderlyAbort, testing::Values("tcp"));

TEST(Transports, WhatCannotBeUsedHereSaysWhy) {
  for (const TransportRow& row : transport_table()) {
    const std::string missing = row.unavailable();
    if (missing.empty()) continue;
    const std::string name(row.name);
    EXPECT_EQ(error_of<UsageError>([&] { connect_threads(1, {.transport = name}); }),
              "transport '" + name + "' cannot be used here: " + missing);
  }
}

}  // namespace tw::test
