// From a launch to a transport: rank 0 opens the store, everybody meets there, connects, and leaves.
#include <tightwire/connect.hpp>

#include <algorithm>

#include "collectives/rendezvous/callback_bootstrap.hpp"
#include "collectives/rendezvous/store_bootstrap.hpp"
#include "collectives/rendezvous/store_server.hpp"
#include "collectives/transport.hpp"
#include "collectives/transports/table.hpp"
#include "kernels/base/check.hpp"

namespace tw {
namespace {

constexpr double kFarewellSeconds = 2;  // for ranks that come later to be told why nobody meets

// Where ranks meet. A host's own name often leads to an address of its loopback, which means nothing to other hosts.
Address meeting_place(const LaunchInfo& launch) {
  const Address address = Address::resolve(launch.master_addr, launch.master_port);
  const bool named = launch.master_addr != "localhost" && !Address::parse(launch.master_addr, 0);
  const bool loopback = address.host() == "::1" || address.host().starts_with("127.");
  return named && loopback ? outward_address().with_port(launch.master_port) : address;
}

std::unique_ptr<StoreServer> open_store(const LaunchInfo& launch, const Address& address) {
  try {
    return std::make_unique<StoreServer>(address, launch.ranks, launch.run_id);
  } catch (const SystemError& error) {
    TW_FAIL(SystemError, "rank 0 cannot open the rendezvous: ", error.what(),
            "; MASTER_ADDR must be an address of rank 0's host, MASTER_PORT a port of it that is free");
  }
}

std::uint32_t culprit_of(const std::exception& error, std::uint32_t otherwise) {
  const auto* peer = dynamic_cast<const PeerError*>(&error);
  return peer == nullptr ? otherwise : peer->rank();
}

TransportPtr meet_and_connect(const LaunchInfo& launch, const ConnectOptions& options) {
  const Deadline deadline = Deadline::in(options.deadline_seconds);
  const Address address = meeting_place(launch);
  const auto store = launch.rank == 0 ? open_store(launch, address) : nullptr;
  StoreBootstrap bootstrap(launch, address, deadline);
  try {
    TransportPtr transport = connect_over(bootstrap, options);
    bootstrap.leave(deadline);
    if (store != nullptr) store->wait_until_left(deadline);
    return transport;
  } catch (const std::exception& error) {
    bootstrap.fail(culprit_of(error, launch.rank), error.what());
    if (store != nullptr) store->wait_until_left(std::min(deadline, Deadline::in(kFarewellSeconds)));
    throw;
  }
}

}  // namespace

TransportPtr connect(const LaunchInfo& launch, const ConnectOptions& options) {
  TW_CHECK(launch.ranks >= 1, UsageError, "0 ranks; at least 1");
  TW_CHECK(launch.rank < launch.ranks, UsageError, "rank ", launch.rank, " of ", launch.ranks, "; ranks are 0 to ",
           launch.ranks - 1);
  if (launch.ranks > 1) return meet_and_connect(launch, options);
  CallbackBootstrap alone(0, 1, [](std::span<const std::byte> in, std::span<std::byte> out) {
    std::copy(in.begin(), in.end(), out.begin());
  });
  return connect_over(alone, options);
}

TransportPtr connect(std::uint32_t rank, std::uint32_t ranks, AllGatherCallback all_gather,
                     const ConnectOptions& options) {
  CallbackBootstrap bootstrap(rank, ranks, std::move(all_gather));
  return connect_over(bootstrap, options);
}

}  // namespace tw
