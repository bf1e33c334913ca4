// The vote that makes a step a transaction: what every rank says of its gradients once it has encoded them all, and
// what follows from that. A pure function of the records, so every rank decides alike.
#pragma once

#include <cstdint>
#include <span>

#include <tightwire/communicator.hpp>

namespace tw {

/// One rank's words, as they travel (little-endian).
struct VoteRecord {
  std::uint64_t step = 0;
  std::uint32_t status = 0;  ///< StatusBits that its encoders found
  std::uint32_t absent = 0;  ///< parameters handed over without gradient
};
static_assert(sizeof(VoteRecord) == 16);

/// Skip if any rank met a non-finite gradient, naming the first. Throws UsageError where ranks are not in the same
/// step, naming both.
Verdict decide(std::span<const VoteRecord> records);

}  // namespace tw
