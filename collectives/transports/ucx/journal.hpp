// What UCX's callbacks found, for progress() to act on: a callback must not throw.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "collectives/failure.hpp"

namespace tw::ucx {

struct Journal {
  std::uint64_t completions = 0;   ///< sends and receives that came to their end
  std::optional<Failure> failure;  ///< the first; it ends the transport

  void fail(Failure cause) {
    if (!failure) failure = std::move(cause);
  }
  void fail(PeerError cause) { fail(Failure(std::move(cause))); }
  void raise() const {
    if (failure) failure->raise();
  }
};

}  // namespace tw::ucx
