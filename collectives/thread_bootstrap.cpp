#include "collectives/thread_bootstrap.hpp"

#include <exception>
#include <thread>

#include <tightwire/connect.hpp>

#include "collectives/transports/table.hpp"
#include "kernels/base/check.hpp"

namespace tw {

class ThreadBootstrap::Meeting {
 public:
  explicit Meeting(std::uint32_t ranks) : blobs_(ranks) {}
  std::uint32_t ranks() const { return static_cast<std::uint32_t>(blobs_.size()); }

  std::vector<std::vector<std::byte>> exchange(std::uint32_t rank, std::span<const std::byte> blob,
                                               std::string_view what, Deadline deadline) {
    std::unique_lock lock(mutex_);
    blobs_[rank].assign(blob.begin(), blob.end());
    here_[rank] = true;
    const std::uint64_t round = rounds_;
    if (++count_ == ranks()) {
      gathered_ = blobs_;
      count_ = 0;
      here_.assign(ranks(), false);
      ++rounds_;
      changed_.notify_all();
    }
    if (changed_.wait_until(lock, deadline.at(), [&] { return rounds_ != round; })) return gathered_;
    for (std::uint32_t peer = 0; peer < ranks(); ++peer)
      if (!here_[peer])
        throw PeerError(peer, detail::concat("rank ", peer, " did not come to the ", what, " by the deadline"));
    throw PeerError(rank, detail::concat("the ", what, " was not complete by the deadline"));
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::vector<std::byte>> blobs_, gathered_;
  std::vector<bool> here_ = std::vector<bool>(blobs_.size());
  std::uint32_t count_ = 0;
  std::uint64_t rounds_ = 0;
};

std::shared_ptr<ThreadBootstrap::Meeting> ThreadBootstrap::meeting(std::uint32_t ranks) {
  TW_CHECK(ranks != 0, UsageError, "0 ranks; at least 1");
  return std::make_shared<Meeting>(ranks);
}

std::uint32_t ThreadBootstrap::ranks() const { return meeting_->ranks(); }

std::vector<std::vector<std::byte>> ThreadBootstrap::all_gather(std::span<const std::byte> blob, std::string_view what,
                                                                Deadline deadline) {
  return meeting_->exchange(rank_, blob, what, deadline);
}

std::vector<TransportPtr> connect_threads(std::uint32_t ranks, const ConnectOptions& options) {
  const auto meeting = ThreadBootstrap::meeting(ranks);
  std::vector<TransportPtr> transports(ranks);
  std::vector<std::exception_ptr> errors(ranks);
  {
    std::vector<std::jthread> threads;
    for (std::uint32_t rank = 0; rank < ranks; ++rank)
      threads.emplace_back([&, rank] {
        try {
          ThreadBootstrap bootstrap(meeting, rank);
          transports[rank] = connect_over(bootstrap, options);
        } catch (...) {
          errors[rank] = std::current_exception();
        }
      });
  }
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
  return transports;
}

}  // namespace tw
