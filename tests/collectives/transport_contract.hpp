// The contract of transports, written once. A transport joins by instantiating it:
//
//   INSTANTIATE_TEST_SUITE_P(Tcp, TransportContract, testing::Values("tcp"));
//
// The parameter is the spec that connect_threads is given.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include <tightwire/connect.hpp>

#include "tests/support/messages.hpp"
#include "tests/support/ranks.hpp"

namespace tw::test {

class TransportContract : public testing::TestWithParam<const char*> {
 protected:
  std::vector<TransportPtr> connect(std::uint32_t ranks) const {
    return connect_threads(ranks, {.transport = GetParam()});
  }
  /// Connects and runs `body(transport, speaker)` on every rank. All leave only after everybody is through.
  void run(std::uint32_t ranks, const std::function<void(Transport&, Speaker&)>& body) const;
};

/// What transports promise where nothing but a failing rank disturbs them: that its last words arrive.
class OrderlyAbort : public TransportContract {};

}  // namespace tw::test
