// The UCX transport itself: links to peers, what is sent over them, and when to sleep.
//
// Who notices that a peer is gone: between hosts UCX (its error handler closes the link), inside one the process's
// pidfd; heartbeats tell of those that are merely silent. A peer says `leave` before it closes; then its end is no
// error unless something is awaited from it or still on the way to it.
//
// Teardown: all that UCX writes to, it writes to inside progress() of a worker. A receive that is cancelled while UCX
// writes to its room is waited for; if its peer does not finish in time, the link is cut (between hosts) or the worker
// never runs again (inside a host, where links cannot be cut), and the transport is at its end. Copies between devices
// go on by themselves then; freeing memory of a device waits for them.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "collectives/transport.hpp"
#include "collectives/transports/liveness.hpp"
#include "collectives/transports/ucx/copies.hpp"
#include "collectives/transports/ucx/fabric.hpp"
#include "collectives/transports/ucx/inbox.hpp"
#include "collectives/transports/ucx/journal.hpp"
#include "collectives/transports/ucx/sleeper.hpp"

namespace tw::ucx {

/// Not thread safe, but for wake().
class Core {
 public:
  /// `memory` is what messages may lie in where UCX has all links for it.
  Core(std::uint32_t rank, std::uint32_t ranks, std::uint64_t job, Memory memory);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  // Connecting, in this order.
  /// Opens this rank's side of a path and gives its address there.
  std::vector<std::byte> open(Path path, const std::string& interface);
  void link(std::uint32_t peer, Path path, std::span<const std::byte> address);
  /// To be told when the process of a peer ends.
  void watch_process(std::uint32_t peer, std::int64_t pid);
  /// Greets everybody and waits for their answers. Throws PeerError that names a rank which does not answer in time.
  void greet(Deadline deadline);

  std::uint32_t rank() const { return rank_; }
  std::uint32_t ranks() const { return static_cast<std::uint32_t>(links_.size()); }
  bool inside_one_host() const { return fabrics_[static_cast<std::size_t>(Path::network)] == nullptr; }
  /// Whether messages may lie in memory of devices: then the device is the current one of the thread that posts and
  /// makes progress.
  bool takes_device_memory() const;

  /// Ops in device memory lie on the device of `exec`. Throws UsageError, and goes on, where none are taken.
  std::shared_ptr<PendingGroup> post(const Exec& exec, std::span<const Op> ops);
  void progress(Deadline until);
  void wake() { sleeper_.wake(); }
  std::optional<std::uint32_t> silent_peer() const;
  void abort(std::uint32_t culprit, std::string_view reason) noexcept;
  /// Returns when nothing writes into the receives of `group` any more, and nothing ever will.
  void settle(const PendingGroup& group) noexcept;

 private:
  enum class LinkState : std::uint8_t { connecting, connected, left, lost };
  struct Link {
    Fabric* fabric = nullptr;     // none to this rank itself
    std::int64_t process = 0;     // where it is watched
    ucp_ep_h endpoint = nullptr;  // null once it was cut
    LinkState state = LinkState::connecting;
    bool greeted = false;                 // its hello came
    bool welcomed = false;                // it answered ours
    bool dismissed = false;               // it answered our leave or abort, or gave up itself
    std::uint64_t sent = 0;               // data messages and parts of such
    std::size_t sends_under_way = 0;      // data messages
    bool heartbeat_under_way = false;     // never two: a peer that sleeps must not fill memory
    std::optional<std::uint64_t> leaves;  // it leaves after so many of its own
  };
  // What UCX has not sent yet: a control message, a data message, or a part of one. They are used again and again.
  struct Sending {
    Core* core;
    std::uint32_t peer;
    Sending* message;  // of a part: the first part; null for control messages
    DataHeader data;
    ControlHeader control;
    std::string text;
    // Of the first part, which is kept until all are sent.
    std::size_t parts_left;
    bool failed;
    std::shared_ptr<PendingGroup> group;
    std::size_t op;
  };
  struct OwnMessage {
    Tag tag;
    std::span<const std::byte> bytes;
    const Exec* place;
    std::shared_ptr<PendingGroup> group;
    std::size_t op;
  };

  void send(const Op& op, const std::shared_ptr<PendingGroup>& group, std::size_t index);
  void say(std::uint32_t peer, ControlKind kind, std::uint32_t culprit = 0, std::string_view text = {});
  void start(Sending& sending, MessageId id, std::span<const std::byte> header, std::span<const std::byte> bytes,
             Space space = Space::host);
  Sending& new_sending(std::uint32_t peer);
  void sent(Sending& sending, ucs_status_t status);
  void sent_part(Sending& part, ucs_status_t status);
  void hear(const ControlHeader& header, std::string_view text);
  void lose(std::uint32_t peer, std::string_view how);
  /// Breaks the link, where that can be done: what is under way over it completes with an error.
  void cut(std::uint32_t peer);
  void note_leavers();
  bool confirmed(const Link& link) const;
  bool connected(std::uint32_t peer) const { return links_[peer].state == LinkState::connected; }

  void run_workers();
  void deliver_own();
  void sleep(Deadline until);
  void send_heartbeats();
  void leave() noexcept;
  void run_until(const std::function<bool()>& done, Deadline until);

  static ucs_status_t on_data(void* core, const void* header, std::size_t header_bytes, void* data, std::size_t bytes,
                              const ucp_am_recv_param_t* how);
  static ucs_status_t on_control(void* core, const void* header, std::size_t header_bytes, void* data,
                                 std::size_t bytes, const ucp_am_recv_param_t* how);
  static void on_sent(void* request, ucs_status_t status, void* sending);
  static void on_broken(void* core, ucp_ep_h endpoint, ucs_status_t status);

  const std::uint32_t rank_;
  const std::uint64_t job_;
  const Memory memory_;
  CopyStreams copies_;
  Journal journal_;
  Inbox inbox_;
  Liveness liveness_;
  Sleeper sleeper_;
  std::vector<Link> links_;
  std::deque<Sending> sendings_;
  std::vector<Sending*> free_sendings_;
  std::size_t controls_under_way_ = 0;
  std::vector<OwnMessage> own_;
  std::vector<std::pair<std::uint32_t, std::string>> broken_;  // links, and how: lost once their last words are heard
  bool aborted_ = false;
  std::array<std::unique_ptr<Fabric>, 2> fabrics_;  // by path; they go first, and with them all callbacks
};

}  // namespace tw::ucx
