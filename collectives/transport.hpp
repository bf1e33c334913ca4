// What moves bytes between ranks. A transport knows messages, tags and deadlines; nothing of frames or codecs.
//
// One thread (the communicator's) posts and makes progress; only `wake` may be called from others. Messages between two
// ranks with the same tag match in the order they were posted. A message that finds no posted receive is kept, within a
// cap, until one is posted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <tightwire/deadline.hpp>
#include <tightwire/error.hpp>
#include <tightwire/exec.hpp>

namespace tw {

/// Names a message between two ranks. Who builds tags: collectives/tag.hpp.
enum class Tag : std::uint64_t {};

/// Where a message lies. Device memory is that of the Exec's device.
enum class Space : std::uint8_t { host, device };

/// One send or receive. `bytes` belongs to the library and stays valid until the request is done or destroyed.
struct Op {
  enum class Kind : std::uint8_t { send, receive } kind;
  std::uint32_t peer;
  Tag tag;
  std::span<std::byte> bytes;  ///< send: the message; receive: room for the largest acceptable message
  Space space = Space::host;   ///< device: only where the transport's Caps say device_memory
};

/// What a transport can do; algorithms and frames choose by these.
struct Caps {
  bool stream_ordered = false;   ///< `Request::join` orders device work without blocking the host
  bool tags = true;              ///< messages carry tags; otherwise they match in posting order
  bool exact_sizes = true;       ///< a receive learns the message's true size; otherwise both sides must agree on it
  bool device_memory = false;    ///< takes device pointers; where not stream_ordered, when the host says so
  bool device_tags = false;      ///< `tags` for messages in device memory
  bool device_sizes = false;     ///< `exact_sizes` for messages in device memory
  bool device_sums = false;      ///< has `all_reduce_sum`
  bool inside_one_host = false;  ///< no network below: checksums may be left out
};

/// The fate of one posted group. Destroying an unfinished request cancels its receives: their memory is not touched any
/// more. Its sends go on; their memory must stay until they are done or the transport is destroyed. Groups in device
/// memory, where stream_ordered, are not cancelled: all their memory must stay until then, or until their stream has
/// passed them.
class Request {
 public:
  /// What a transport keeps for a posted group.
  class State {
   public:
    virtual ~State() = default;
    virtual bool done() const = 0;
    virtual bool started() const { return true; }
    virtual std::size_t received_bytes(std::size_t op) const = 0;
    virtual void join(const Exec&) const {
      throw UsageError("only groups in device memory of a stream-ordered transport can be joined; wait for done()");
    }
  };

  Request() = default;
  explicit Request(std::shared_ptr<State> state) : state_(std::move(state)) {}
  Request(Request&&) noexcept = default;
  Request& operator=(Request&&) noexcept = default;

  /// True once every op of the group is complete. Empty requests are done.
  bool done() const { return state_ == nullptr || state_->done(); }
  /// False while the transport has not put this group in device memory onto its stream yet: what is enqueued on the
  /// stream meanwhile may come before it. `progress` starts it; nothing else may be posted in device memory before
  /// (UsageError). Always true for other groups.
  bool started() const { return state_ == nullptr || state_->started(); }
  /// Work enqueued later on the stream of `exec` comes after the group, and the host does not wait. Only for groups in
  /// device memory that have started, where the transport's Caps say stream_ordered; UsageError for others. Free on the
  /// group's own stream.
  void join(const Exec& exec) const {
    if (state_ != nullptr) state_->join(exec);
  }
  /// Size of the message that op `index` of the group received.
  std::size_t received_bytes(std::size_t index) const { return state_->received_bytes(index); }

 private:
  std::shared_ptr<State> state_;
};

/// Errors end a transport: once `post` or `progress` threw, every later one throws the same, until it is destroyed. A
/// message larger than the receive's room is a WireError; a lost or silent peer is a PeerError that names it, once
/// something is expected of it: a rank may leave while nobody waits for it, and what it had sent, as far as its sends
/// were done, is still delivered.
class Transport {
 public:
  virtual ~Transport() = default;

  virtual std::string_view name() const = 0;
  virtual std::uint32_t rank() const = 0;
  virtual std::uint32_t ranks() const = 0;
  virtual Caps caps() const = 0;

  /// Starts all ops of a group; never blocks. Sending to oneself is allowed.
  ///
  /// Ops in device memory, where stream_ordered, run in the order of the stream of `exec`: after what was enqueued there
  /// before, and before what is enqueued once the request says `started`, for which its peers may have to post their
  /// part (see the transport). Such a group holds no ops in host memory and meets only its like. Elsewhere they run at
  /// once, beside all streams: what is sent is there already, nothing on the device uses a receive's room any more, and
  /// what was received is there when the request is done; its peer may have it in memory of either kind. The device is
  /// the current one of the thread.
  virtual Request post(const Exec& exec, std::span<const Op> ops) = 0;

  /// Enqueues on the stream of `exec` the sum over all ranks of `values`, in place, in device memory; all ranks give as
  /// many. The order of the additions is the transport's: all ranks get the same bits, another call may give others.
  /// Only where Caps say device_sums; UsageError elsewhere. Never blocks; it is started as a group of `post` is.
  virtual Request all_reduce_sum(const Exec&, std::span<float>) {
    throw UsageError("transport '" + std::string(name()) + "' has no all_reduce_sum");
  }

  /// Moves what can be moved. With nothing to move it sleeps until something completes, `wake` is called, a peer fails,
  /// or `until`; it may return early. Throws PeerError, WireError or SystemError on failure.
  virtual void progress(Deadline until) = 0;

  /// Ends a sleeping `progress` now, or the next one at once. Callable from any thread.
  virtual void wake() = 0;

  /// The rank from which nothing, not even a heartbeat, was heard for longer than heartbeats allow, if there is one.
  virtual std::optional<std::uint32_t> silent_peer() const { return std::nullopt; }

  /// Tells the others, as far as possible, that this rank gives up because of `culprit`; their `progress` throws a
  /// PeerError that names the culprit. Nothing may be posted afterwards. Never throws.
  virtual void abort(std::uint32_t culprit, std::string_view reason) noexcept = 0;
};

}  // namespace tw
