#include "collectives/vote.hpp"

#include <tightwire/exec.hpp>

#include "kernels/base/check.hpp"

namespace tw {

Verdict decide(std::span<const VoteRecord> records) {
  Verdict verdict;
  for (std::uint32_t rank = 0; rank < records.size(); ++rank) {
    const VoteRecord& record = records[rank];
    TW_CHECK(record.step == records[0].step, UsageError, "ranks are in different steps: rank 0 in ", records[0].step,
             ", rank ", rank, " in ", record.step, "; all ranks must begin the same steps in the same order");
    verdict.absent += record.absent;
    if (!verdict.commit || (record.status & kStatusNonFinite) == 0) continue;
    verdict.commit = false;
    verdict.rank = rank;
    verdict.reason = detail::concat("rank ", rank, " met a NaN or infinity in its gradients in step ", record.step);
  }
  return verdict;
}

}  // namespace tw
