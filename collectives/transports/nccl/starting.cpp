// How a group in device memory gets onto its stream. NCCL puts it there in the background, and may need the peers to
// have posted their part: so `progress` waits for it as for everything else, and whatever ends a sleep ends that wait.
#include <algorithm>
#include <set>
#include <thread>

#include "collectives/transports/nccl/transport.hpp"
#include "kernels/base/check.hpp"

namespace tw::nccl {
namespace {

constexpr std::uint32_t kQuickPolls = 32;  // NCCL's thread is mostly through by then
constexpr std::chrono::microseconds kQuickPause{20};
constexpr double kPauseSeconds = 0.001;
constexpr double kLookSeconds = 0.1;  // between looks for errors of NCCL's, which wake nobody

}  // namespace

Request NcclTransport::begin(const Exec& exec, std::shared_ptr<Flight> flight) {
  if (flight->peers.empty()) {
    flights_.skip(*flight);
    return Request(std::move(flight));
  }
  watch_.meet(flight->peers);
  flights_.begin(*flight, exec);
  start_by_ = Deadline::in(place_.deadline_seconds);
  polls_ = 0;
  start();
  return Request(std::move(flight));
}

// True if a group has started that had not. Throws what went wrong in the background, also where none is starting.
bool NcclTransport::start() {
  const bool settled = comm_.settled();
  const Flight* flight = flights_.starting();
  if (flight == nullptr) return false;
  if (!settled && start_by_.passed()) throw_overdue(flight->peers);
  if (settled) flights_.launch();
  return settled;
}

// Until when the control may sleep while groups are under way, and no longer than `until`.
Deadline NcclTransport::sleep_with_flights(Deadline until) {
  if (flights_.starting() != nullptr && polls_ < kQuickPolls) {
    pause(polls_++, until);
    return Deadline::in(0);
  }
  watch_.expect(flights_.peers());
  if (flights_.starting() != nullptr) return std::min(until, Deadline::in(kPauseSeconds));
  flights_.arm();
  return std::min(until, Deadline::in(kLookSeconds));
}

// Where NCCL is waited for at the beginning and the end of a transport.
void NcclTransport::pause(std::uint32_t polls, Deadline deadline) {
  if (polls < kQuickPolls) return std::this_thread::sleep_for(kQuickPause);
  due_ = true;  // a wake() that ends this sleep is meant for another
  control_->progress(std::min(deadline, Deadline::in(kPauseSeconds)));
}

void NcclTransport::throw_overdue(std::span<const std::uint32_t> peers) const {
  std::string list;
  std::set<std::uint32_t> others(peers.begin(), peers.end());
  others.erase(rank());
  for (const std::uint32_t peer : others) list += (list.empty() ? "" : ", ") + std::to_string(peer);
  const std::uint32_t culprit = silent_peer().value_or(others.empty() ? rank() : *others.begin());
  throw PeerError(culprit,
                  detail::concat("rank ", rank(), " waited for rank ", culprit, " for ", place_.deadline_seconds,
                                 " s: NCCL could not start a group in device memory with ranks ", list,
                                 "; each must post its part"));
}

}  // namespace tw::nccl
