#include "tests/collectives/faults.hpp"

namespace tw::test {

INSTANTIATE_TEST_SUITE_P(Tcp, ProcessFaults, testing::Values("tcp"));

}  // namespace tw::test
