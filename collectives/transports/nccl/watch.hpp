// Who of the peers is alive, learnt from the control transport: it names a rank that is gone only to those who expect a
// message of it. So while something in device memory is under way between two ranks, each expects one, which comes only
// if the other leaves in good order: its goodbye.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "collectives/transport.hpp"

namespace tw::nccl {

class Watch {
 public:
  /// `control` outlives it.
  explicit Watch(Transport& control) : control_(control), peers_(control.ranks()) {}

  /// Something in device memory begins between this rank and `peers`: they will want its goodbye.
  void meet(std::span<const std::uint32_t> peers);
  /// From now on `control` fails, naming the rank, when one of `peers` is lost. Throws what `control` throws.
  void expect(std::span<const std::uint32_t> peers);
  /// Nothing is under way any more: ranks may leave.
  void relax();
  /// True if this peer is known to have said goodbye.
  bool has_left(std::uint32_t peer) const { return peers_[peer].left; }

  /// Says goodbye to all ranks that were met and have not left, and waits until that is under way. Throws what
  /// `control` throws, as it does where one of them was lost.
  void leave(Deadline deadline);

 private:
  struct Peer {
    std::optional<Request> goodbye;
    bool met = false;
    bool left = false;
  };
  void look(Peer& peer);

  Transport& control_;
  std::vector<Peer> peers_;
};

}  // namespace tw::nccl
