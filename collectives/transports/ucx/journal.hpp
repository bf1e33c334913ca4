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

  /// Something that broke because a rank is gone. It ends the transport by `confirm`, unless the last words of that
  /// rank, which may still be on their way, did so first: they know whose fault it was.
  void suspect(PeerError cause) {
    if (!suspicion) suspicion = Failure(std::move(cause));
  }
  void confirm() {
    if (suspicion) fail(std::move(*suspicion));
    suspicion.reset();
  }
  std::optional<Failure> suspicion;
  void raise() const {
    if (failure) failure->raise();
  }
};

}  // namespace tw::ucx
