// How ranks find each other before there is a transport: one primitive, an all-gather of small blobs, from a key-value
// store, a user's callback or a shared object in one process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tightwire/deadline.hpp>

namespace tw {

/// All ranks of a job, before they can send messages. Calls are collective, in the same order on every rank.
class Bootstrap {
 public:
  virtual ~Bootstrap() = default;
  virtual std::uint32_t rank() const = 0;
  virtual std::uint32_t ranks() const = 0;

  /// Gives `blob` (at most 16 MiB, sizes may differ) and returns everybody's, by rank. `what` names the exchange in
  /// errors. Throws PeerError that names a rank which did not come by `deadline`.
  virtual std::vector<std::vector<std::byte>> all_gather(std::span<const std::byte> blob, std::string_view what,
                                                         Deadline deadline) = 0;

  /// This host's address, in numbers, that the other ranks were met from; empty if none was needed. Transports bind to
  /// it where no interface is named.
  virtual std::string local_host() const { return {}; }
};

}  // namespace tw
