#include "collectives/rendezvous/callback_bootstrap.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/base/check.hpp"

namespace tw {
namespace {

constexpr std::uint64_t kMaxBlobBytes = 16u << 20;

}  // namespace

CallbackBootstrap::CallbackBootstrap(std::uint32_t rank, std::uint32_t ranks, AllGatherCallback all_gather)
    : rank_(rank), ranks_(ranks), all_gather_(std::move(all_gather)) {
  TW_CHECK(ranks_ >= 1, UsageError, "0 ranks; at least 1");
  TW_CHECK(rank_ < ranks_, UsageError, "rank ", rank_, " of ", ranks_, "; ranks are 0 to ", ranks_ - 1);
  TW_CHECK(all_gather_ != nullptr, UsageError, "an empty all-gather; a function that gathers from all ranks is needed");
}

std::vector<std::vector<std::byte>> CallbackBootstrap::all_gather(std::span<const std::byte> blob,
                                                                  std::string_view what, Deadline) {
  TW_CHECK(blob.size() <= kMaxBlobBytes, UsageError, "a blob of ", blob.size(), " bytes; at most ", kMaxBlobBytes);
  const std::uint64_t own = blob.size();
  std::vector<std::uint64_t> sizes(ranks_);
  all_gather_(std::as_bytes(std::span(&own, 1)), std::as_writable_bytes(std::span(sizes)));
  TW_CHECK(sizes[rank_] == own, UsageError, "the all-gather gave rank ", rank_, " back ", sizes[rank_], " for its ",
           own, ": it must put every rank's bytes at its rank's place (", what, ")");
  const std::uint64_t most = *std::max_element(sizes.begin(), sizes.end());
  TW_CHECK(most <= kMaxBlobBytes, UsageError, "a rank's blob of ", most, " bytes; at most ", kMaxBlobBytes);
  std::vector<std::byte> padded(blob.begin(), blob.end());
  padded.resize(most);
  std::vector<std::byte> all(most * ranks_);
  if (most != 0) all_gather_(padded, all);
  std::vector<std::vector<std::byte>> gathered(ranks_);
  for (std::uint32_t rank = 0; rank < ranks_; ++rank) {
    const auto part = std::span(all).subspan(rank * most, sizes[rank]);
    gathered[rank].assign(part.begin(), part.end());
  }
  return gathered;
}

}  // namespace tw
