// The transports that need nothing but this process, under the contract.
#include "tests/collectives/transport_contract.hpp"

namespace tw::test {

INSTANTIATE_TEST_SUITE_P(Loopback, TransportContract, testing::Values("loopback"));

}  // namespace tw::test
