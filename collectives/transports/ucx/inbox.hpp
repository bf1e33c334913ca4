// Arriving data messages: puts them in order, pairs them with receives, and has large ones written straight into the
// receive's room.
//
// A small message comes with its header and is copied once; over TCP a large one comes as a row of such parts.
// Elsewhere a large one only announces itself (rendezvous); UCX fetches it when its receive is posted, without another
// copy, and the sender keeps it until then. A receive may have its room on a device: UCX writes there by itself what it
// fetches, this rank copies there what came small. Not thread safe.
#pragma once

#include <ucp/api/ucp.h>

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <vector>

#include "collectives/transports/matcher.hpp"
#include "collectives/transports/ucx/fabric.hpp"
#include "collectives/transports/ucx/journal.hpp"
#include "collectives/transports/ucx/protocol.hpp"

namespace tw::ucx {

class Inbox {
 public:
  Inbox(std::uint32_t ranks, Journal& journal);

  /// Op `index` of `group` is this receive, whose room lies where `place`, which outlives this, copies.
  void post(const Op& receive, const std::shared_ptr<PendingGroup>& group, std::size_t index, const Exec& place);
  /// A message of this rank to itself, which lies where `place` copies.
  void deliver_own(std::uint32_t rank, Tag tag, std::span<const std::byte> bytes, const Exec& place);
  /// A message, or a part of one, has come with this header.
  void arrived(const DataHeader& header, std::span<const std::byte> bytes);
  /// A message of so many bytes has announced itself. The descriptor is the inbox's from now on, also if this throws.
  void announced(Fabric& fabric, const DataHeader& header, void* descriptor, std::size_t bytes);

  /// True while a receive from `peer` waits for a message that has not arrived or been announced.
  bool waits_for(std::uint32_t peer) { return matcher_.waits_for(peer); }
  /// Data messages that came from `peer`, in order and without a gap.
  std::uint64_t received(std::uint32_t peer) const { return peers_[peer].next; }

  /// A message that UCX is writing into the room of a receive.
  struct Fetch {
    Inbox* inbox;
    std::list<std::unique_ptr<Fetch>>::iterator self;
    Fabric* fabric;
    std::uint32_t peer;
    std::shared_ptr<Inbound> inbound;
  };
  /// One that goes into a receive of `group` and may still be written; null if there is none.
  const Fetch* fetch_into(const PendingGroup& group) const;
  bool fetches_from(std::uint32_t peer) const;
  /// `peer` has left: what it announced cannot be fetched any more.
  void forget(std::uint32_t peer);

 private:
  // A large message that waits for its receive.
  struct Announced {
    Fabric* fabric;
    Tag tag;
    std::size_t bytes;
    void* descriptor;
  };
  // What overtook others.
  struct Early {
    DataHeader header;
    Fabric* fabric;
    void* descriptor;             // of a rendezvous
    std::vector<std::byte> data;  // otherwise
  };
  struct Peer {
    std::uint64_t next = 0;  // sequence number of what is next in order
    std::map<std::uint64_t, Early> early;
    std::vector<Announced> announced;  // in order
    std::shared_ptr<Inbound> partial;  // of which a part is still to come
    std::size_t partial_bytes = 0;     // of it that are here
  };

  bool in_order(const DataHeader& header) const;
  void take_part(const DataHeader& header, std::span<const std::byte> bytes);
  void take_whole(std::uint32_t peer, Tag tag, std::span<const std::byte> bytes, const Exec& place = kHostPlace);
  void take_announced(std::uint32_t peer, const Announced& message);
  void take_early(std::uint32_t peer);
  void fetch(std::uint32_t peer, const Announced& message);
  void fetch_all_announced(std::uint32_t peer, Tag tag);
  void finish(Fetch& fetch, ucs_status_t status);
  static void on_fetched(void* request, ucs_status_t status, std::size_t bytes, void* argument);

  Journal& journal_;
  Matcher matcher_;
  std::vector<Peer> peers_;
  std::list<std::unique_ptr<Fetch>> fetches_;
};

}  // namespace tw::ucx
