// The bootstrap of ranks that are threads of one process: a shared object where they meet.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "collectives/bootstrap.hpp"

namespace tw {

class ThreadBootstrap final : public Bootstrap {
 public:
  /// Where `ranks` threads meet; shared by their bootstraps.
  class Meeting;
  static std::shared_ptr<Meeting> meeting(std::uint32_t ranks);

  ThreadBootstrap(std::shared_ptr<Meeting> meeting, std::uint32_t rank) : meeting_(std::move(meeting)), rank_(rank) {}
  std::uint32_t rank() const override { return rank_; }
  std::uint32_t ranks() const override;
  std::vector<std::vector<std::byte>> all_gather(std::span<const std::byte> blob, std::string_view what,
                                                 Deadline deadline) override;

 private:
  std::shared_ptr<Meeting> meeting_;
  std::uint32_t rank_;
};

}  // namespace tw
