// The bootstrap of ranks that meet at a store.
#pragma once

#include <string>

#include <tightwire/launch.hpp>

#include "collectives/bootstrap.hpp"
#include "collectives/net/socket.hpp"
#include "collectives/rendezvous/store_wire.hpp"

namespace tw {

class StoreBootstrap final : public Bootstrap {
 public:
  /// Connects to the store at `address`, waiting for it to open. Throws UsageError where this process is refused: it
  /// names the difference to rank 0.
  StoreBootstrap(const LaunchInfo& launch, const Address& address, Deadline deadline);

  std::uint32_t rank() const override { return rank_; }
  std::uint32_t ranks() const override { return ranks_; }
  std::vector<std::vector<std::byte>> all_gather(std::span<const std::byte> blob, std::string_view what,
                                                 Deadline deadline) override;
  std::string local_host() const override { return local_address(socket_).host(); }

  /// Ends in good order: the others may go on without this rank.
  void leave(Deadline deadline);
  /// Ends the meeting for everybody, because of `culprit`.
  void fail(std::uint32_t culprit, const std::string& why) noexcept;

 private:
  enum class Outcome : std::uint8_t { done, late, ended };

  bool enter(const LaunchInfo& launch, Deadline deadline);
  void request(StoreRequest header, std::string_view key, std::span<const std::byte> value, Deadline deadline);
  Outcome read(std::span<std::byte> room, Deadline deadline);
  Outcome write(std::span<const std::byte> bytes, Deadline deadline);
  std::string read_text(const StoreReply& reply, Deadline deadline);
  std::vector<std::byte> get(const std::string& key, std::uint32_t from, std::string_view what, Deadline deadline);
  [[noreturn]] void fail_late(std::uint32_t from, std::string_view what) const;

  const std::uint32_t rank_, ranks_;
  const Address address_;
  Descriptor socket_;
  std::uint32_t exchanges_ = 0;
};

}  // namespace tw
