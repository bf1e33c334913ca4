// What happens to a job whose ranks are killed or stopped, written once for every transport between processes:
//
//   INSTANTIATE_TEST_SUITE_P(Tcp, ProcessFaults, testing::Values("tcp"));
//
// The parameter is the spec given to connect().
#pragma once

#include <gtest/gtest.h>

namespace tw::test {

class ProcessFaults : public testing::TestWithParam<const char*> {};

}  // namespace tw::test
