// Who of the peers is still alive, by when something of them was last heard. Every transport sends a heartbeat on a
// link that was idle for `interval`; a peer unheard for `timeout` is silent. Silence is reported, not punished: whoever
// waits decides at its deadline, and blames the silent rank.
//
// Time is given by the caller. Time in which this process itself did not look (it was stopped, or computing) proves
// nothing about others and is left out: of a gap between two looks, one `interval` counts.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace tw {

struct LivenessSettings {
  std::chrono::steady_clock::duration interval = std::chrono::milliseconds(200);
  std::chrono::steady_clock::duration timeout = std::chrono::milliseconds(1000);
};

/// A plain value; not thread safe.
class Liveness {
 public:
  using Clock = std::chrono::steady_clock;

  /// At `now` everybody counts as heard of and written to.
  Liveness(std::uint32_t rank, std::uint32_t ranks, Clock::time_point now, LivenessSettings settings = {});

  /// All links were looked at; what had arrived on them was reported before this call.
  void looked(Clock::time_point now);
  /// Something of `peer` arrived, be it part of a message.
  void heard(std::uint32_t peer, Clock::time_point now);
  /// Something was sent to `peer`.
  void sent(std::uint32_t peer, Clock::time_point now);
  /// `peer` crashed: silent from now on.
  void lost(std::uint32_t peer);
  /// `peer` left in good order, or is not listened to for a reason of ours: never silent, and owed no heartbeats.
  void ignore(std::uint32_t peer);

  /// True if `peer` should get a heartbeat.
  bool due(std::uint32_t peer, Clock::time_point now) const;
  /// When the next heartbeat is due; the far future if never.
  Clock::time_point next_due() const;

  /// The peer that was lost, or else unheard for longest, if that is longer than the timeout.
  std::optional<std::uint32_t> silent() const;

 private:
  enum class Status : std::uint8_t { watched, lost, ignored };
  struct Peer {
    Status status = Status::watched;
    Clock::time_point sent;
    Clock::duration heard{};  // on the clock of looks
  };

  LivenessSettings settings_;
  std::vector<Peer> peers_;
  Clock::time_point last_look_;
  Clock::duration looked_{};  // the clock of looks: time that counts
};

}  // namespace tw
