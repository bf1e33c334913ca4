// Ranks killed and stopped over UCX: in shared memory, and over the network as between hosts.
#include "tests/collectives/faults.hpp"

namespace tw::test {

INSTANTIATE_TEST_SUITE_P(UcxSharedMemory, ProcessFaults, testing::Values("ucx"));
INSTANTIATE_TEST_SUITE_P(UcxNetwork, ProcessFaults, testing::Values("ucx:hosts=apart"));

}  // namespace tw::test
