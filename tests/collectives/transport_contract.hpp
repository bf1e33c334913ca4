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
#include <tightwire/error.hpp>

#include "tests/support/messages.hpp"
#include "tests/support/ranks.hpp"

namespace tw::test {

inline constexpr std::uint64_t kReady = 1000, kGo = 1001;

inline Bytes canary(std::size_t count) { return Bytes(count, std::byte{0xa5}); }

// What a call throws, as text with its type; empty if it returns.
template <class ErrorType, class Call>
std::string error_of(const Call& call) {
  try {
    call();
  } catch (const ErrorType& error) {
    return error.what();
  }
  return {};
}

inline void expect_same_error_again(Transport& transport, const std::string& message) {
  Speaker speaker(transport);
  Bytes room(8);
  EXPECT_EQ(error_of<Error>([&] { transport.progress(Deadline::in(0)); }), message);
  EXPECT_EQ(error_of<Error>([&] { speaker.receive(transport.rank() == 0 ? 1 : 0, 1, room); }), message);
  EXPECT_EQ(error_of<Error>([&] { transport.progress(Deadline::in(0)); }), message);
}

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
