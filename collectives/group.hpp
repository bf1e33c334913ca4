// What the operations of one communicator share: the transport, the step, buffers, memories, counters. Used by the
// communicator's thread alone, but for the counters, which anybody may read.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <span>

#include <tightwire/types.hpp>

#include "collectives/buffers.hpp"
#include "collectives/transport.hpp"
#include "compress/state.hpp"
#include "compress/wire.hpp"
#include "kernels/base/arena.hpp"

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

struct Group {
  explicit Group(Transport& moves) : transport(moves) { exec.arena = &arena; }

  Transport& transport;
  Exec exec;  ///< with the arena below
  StepInfo step;
  std::uint64_t seed = 0;
  std::uint32_t communicator = 0;
  std::uint32_t epoch = 0;
  Checksum checksum = Checksum::crc32c;
  Arena arena;
  BufferPool buffers;
  State state;
  /// StatusBits found while encoding this rank's gradients, and, apart, while encoding means: only the first is known
  /// before the vote.
  std::uint32_t worker_status = 0;
  std::uint32_t owner_status = 0;
  Counters counters;

  std::uint32_t rank() const { return transport.rank(); }
  std::uint32_t ranks() const { return transport.ranks(); }

  /// Room for a frame, whose bodies are aligned for wide accesses.
  Buffer frame_buffer(std::size_t bytes) { return buffers.take(bytes, kFrameHeaderBytes); }
  /// Posts one message and counts it. `bytes` stays untouched until the request is done.
  Request send(std::uint32_t peer, Tag tag, std::span<std::byte> bytes);
  /// Posts one receive with room for `bytes`.
  Request receive(std::uint32_t peer, Tag tag, std::span<std::byte> bytes);
};

/// A message on its way, with the memory it lives in. The request goes first, so that nothing moves into freed memory.
struct Message {
  Buffer buffer;
  Request request;

  bool done() const { return request.done(); }
  /// What was received.
  std::span<const std::byte> received() const { return buffer.bytes().first(request.received_bytes(0)); }
};

/// Takes a buffer as for a frame and posts a receive of up to `bytes` into it.
Message receive_message(Group& group, std::uint32_t peer, Tag tag, std::size_t bytes);

}  // namespace tw
