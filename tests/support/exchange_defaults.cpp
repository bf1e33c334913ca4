#include "tests/support/exchange.hpp"

namespace tw::test {
namespace {

#if defined(TW_TEST_UCX)
// Of every four ranks two next to each other are direct.
bool lies_on_host(std::uint32_t rank) { return rank % 4 == 3; }
#else
bool lies_on_host(std::uint32_t rank) { return rank % 3 == 0; }
#endif

}  // namespace

#if defined(TW_TEST_NCCL)
constinit const GroupDefaults kDefaults{Devices::all, "nccl:control=(loopback)", "", lies_on_host};
#elif defined(TW_TEST_UCX)
constinit const GroupDefaults kDefaults{Devices::mixed, "ucx", "ucx:device=staged", lies_on_host};
#elif defined(TW_TEST_CUDA)
constinit const GroupDefaults kDefaults{Devices::mixed, "loopback", "", lies_on_host};
#else
constinit const GroupDefaults kDefaults{Devices::none, "loopback", "", lies_on_host};
#endif

}  // namespace tw::test
