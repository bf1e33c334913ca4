// What the operations of one communicator share: the transport, the step, buffers, memories, counters. Used by the
// communicator's thread alone, but for the counters, which anybody may read.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <utility>

#include <tightwire/types.hpp>

#include "collectives/buffers.hpp"
#include "collectives/device_rooms.hpp"
#include "collectives/transport.hpp"
#include "compress/state.hpp"
#include "compress/wire.hpp"
#include "kernels/base/arena.hpp"
#include "kernels/cuda/batch.hpp"
#include "kernels/cuda/stream.hpp"
#include "kernels/cuda/timeline.hpp"

namespace tw {

/// Written by the communicator's thread, read by any.
struct Counters {
  std::atomic<double> encode_seconds = 0;
  std::atomic<double> decode_seconds = 0;
  std::atomic<std::uint64_t> sent_bytes = 0;  ///< handed to the transport
  std::atomic<std::uint64_t> sent_messages = 0;
};

/// Adds the seconds of its own lifetime to a counter.
class PhaseTimer {
 public:
  explicit PhaseTimer(std::atomic<double>& phase) : phase_(phase) {}
  ~PhaseTimer() {
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin_;
    phase_.store(phase_.load(std::memory_order_relaxed) + spent.count(), std::memory_order_relaxed);
  }
  PhaseTimer(const PhaseTimer&) = delete;
  PhaseTimer& operator=(const PhaseTimer&) = delete;

 private:
  std::atomic<double>& phase_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

/// What a group needs besides where it codes on a device: a stream of its own, scratch memory and sums there.
struct DeviceSide {
  DeviceSide(std::uint32_t device, std::function<void()> wake)
      : stream(device),
        awaiting(device),
        moving(device),
        messages_after(device),
        arena(memory_of(Residence::device, device)),
        buffers(memory_of(Residence::device, device)),
        rooms(memory_of(Residence::device, device)),
        messages(memory_of(Residence::device, device)),
        exec{.backend = Backend::cuda, .arena = &arena, .device = device, .stream = stream.get(), .batch = &batch},
        timeline(exec, wake),
        arrivals({.backend = Backend::cuda, .device = device, .stream = awaiting.get()}, std::move(wake)) {}

  cuda::Stream stream, awaiting, moving;  ///< coding; see arrivals; messages in device memory
  cuda::Event messages_after;             ///< what they wait for
  Arena arena;
  BufferPool buffers;    ///< for the stream alone: given back while it still uses them
  BufferPool rooms;      ///< where transports write, beside the stream: given back when it is done with them
  DeviceRooms messages;  ///< in the order of a stream
  LaunchBatch batch;
  Exec exec;
  cuda::Timeline timeline;
  cuda::Timeline arrivals;  ///< of gradients: of a stream that does nothing but wait for those that make them
};

/// Sums, residuals and what codecs take and give lie where `exec` works; frames, where the transport takes them: on the
/// host, or on the device if that is `direct`. Work on a device is only enqueued, on its stream: `mark` and `reached`
/// tell when it is done.
struct Group {
  /// `place` says where gradients lie. Frames are pinned where that is a device.
  Group(Transport& moves, const Exec& place);

  Transport& transport;
  Exec exec;  ///< with the arenas and status words below
  StepInfo step;
  std::uint64_t seed = 0;
  std::uint32_t communicator = 0;
  std::uint32_t epoch = 0;
  Checksum checksum = Checksum::crc32c;
  Arena arena;  ///< the host's
  BufferPool buffers;
  std::unique_ptr<DeviceSide> device;  ///< null where gradients lie on the host
  State state;
  std::uint32_t turn = 0;  ///< the bucket of this step that may post in device memory next
  Counters counters;

  bool codes_on_device() const { return exec.backend == Backend::cuda; }
  /// Whether frames go from device memory to device memory, each when the host sees that it is there.
  bool direct() const { return codes_on_device() && moves_device_memory_; }
  /// Whether what is coded on a device travels through the host's memory, where the host drives frames.
  bool staged() const { return codes_on_device() && !moves_device_memory_; }

  /// StatusBits found while encoding this rank's gradients, and, apart, while encoding means: only the first is known
  /// before the vote. On a device they are there once what finds them is done.
  std::uint32_t& status(Hop hop) { return status_words()[static_cast<std::size_t>(hop)]; }

  std::uint32_t rank() const { return transport.rank(); }
  std::uint32_t ranks() const { return transport.ranks(); }

  /// Room on the host for a frame, whose bodies are aligned for wide accesses.
  Buffer frame_buffer(std::size_t bytes) { return buffers.take(bytes, kFrameHeaderBytes); }
  /// Room where frames are received. On a device it has to be retired.
  Buffer frame_room(std::size_t bytes) {
    return direct() ? device->rooms.take(bytes, kFrameHeaderBytes) : frame_buffer(bytes);
  }
  /// Where codecs work: the first `lead` bytes precede a multiple of 64.
  Buffer coding_buffer(std::size_t bytes, std::size_t lead = 0) {
    return (codes_on_device() ? device->buffers : buffers).take(bytes, lead);
  }

  /// A place behind everything enqueued so far; on the host, where nothing is, reached at once.
  using Mark = cuda::Timeline::Mark;
  Mark mark() { return codes_on_device() ? device->timeline.mark() : 0; }
  bool reached(Mark mark) { return mark == 0 || device->timeline.reached(mark); }
  /// Keeps a host buffer, or one of those that transports write, until what was enqueued so far is done with it.
  void retire(Buffer buffer);
  /// The mark that gives back all that was retired so far. It may still have to be made: at the latest with the
  /// kRetiredUnmarked-th buffer since the last one.
  Mark of_retired() const { return retired_.empty() ? 0 : retired_.back().first; }
  /// Whether what was to be kept until then has been given back.
  bool given_back(Mark mark);
  static constexpr std::size_t kRetiredUnmarked = 4;
  /// Waits for the device, which may still read buffers and wake the transport: before either goes.
  void settle() noexcept {
    if (!device) return;
    device->timeline.settle();
    device->arrivals.settle();
    device->moving.settle();
  }
  /// The same for the trainer's tensors, after a failure and for no more than so many seconds.
  void settle(double seconds) noexcept {
    if (device) device->timeline.settle(seconds);
  }

  /// Posts one message and counts it. `bytes` stays untouched until the request is done.
  Request send(std::uint32_t peer, Tag tag, std::span<std::byte> bytes, Space space = Space::host);
  /// The same for a frame, which lies where frames do.
  Request send_frame(std::uint32_t peer, Tag tag, std::span<std::byte> frame) {
    return send(peer, tag, frame, frame_space());
  }
  /// Posts messages in device memory as one group, and counts those sent. They come after what was enqueued so far;
  /// what is enqueued later comes before, beside or after them, until the request is done or `exec` has joined it.
  Request post_on_device(std::span<const Op> ops);
  /// The same for the transport's own all-reduce, counted as one message of the payload.
  Request sum_on_device(std::span<float> payload);
  /// Posts one receive with room for `bytes`.
  Request receive(std::uint32_t peer, Tag tag, std::span<std::byte> bytes, Space space = Space::host);
  /// Where frames lie.
  Space frame_space() const { return direct() ? Space::device : Space::host; }

 private:
  Exec moving_exec();
  std::uint32_t* status_words() { return reinterpret_cast<std::uint32_t*>(status_.get()); }

  const bool moves_device_memory_;  // when the host says so
  Block status_;                    // a word a hop, which host and device reach
  std::deque<std::pair<Mark, Buffer>> retired_;
};

/// A message on its way, with the memory it lives in. The request goes first, so that nothing moves into freed memory.
struct Message {
  Buffer buffer;
  Request request;

  bool done() const { return request.done(); }
  /// What was received.
  std::span<const std::byte> received() const { return buffer.bytes().first(request.received_bytes(0)); }
};

/// Takes a buffer on the host and posts a receive of up to `bytes` into it.
Message receive_message(Group& group, std::uint32_t peer, Tag tag, std::size_t bytes);
/// The same for a frame, where frames lie.
Message receive_frame(Group& group, std::uint32_t peer, Tag tag, std::size_t bytes);

}  // namespace tw
