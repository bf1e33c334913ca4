// The bootstrap through a user's own all-gather, whose blobs are of equal sizes: sizes are exchanged first.
#pragma once

#include <tightwire/connect.hpp>

#include "collectives/bootstrap.hpp"

namespace tw {

class CallbackBootstrap final : public Bootstrap {
 public:
  CallbackBootstrap(std::uint32_t rank, std::uint32_t ranks, AllGatherCallback all_gather);

  std::uint32_t rank() const override { return rank_; }
  std::uint32_t ranks() const override { return ranks_; }
  /// The deadline is the user's own affair.
  std::vector<std::vector<std::byte>> all_gather(std::span<const std::byte> blob, std::string_view what,
                                                 Deadline deadline) override;

 private:
  const std::uint32_t rank_, ranks_;
  const AllGatherCallback all_gather_;
};

}  // namespace tw
