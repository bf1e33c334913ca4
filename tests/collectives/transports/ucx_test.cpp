// The UCX transport under the contract: in shared memory, and over the network (here: loopback) as between hosts.
#include "tests/collectives/transport_contract.hpp"

namespace tw::test {

INSTANTIATE_TEST_SUITE_P(UcxSharedMemory, TransportContract, testing::Values("ucx"));
INSTANTIATE_TEST_SUITE_P(UcxNetwork, TransportContract, testing::Values("ucx:hosts=apart"));

}  // namespace tw::test
