// What an all-reduce algorithm is: a schedule that moves frames and calls compressors. It never looks inside a payload.
//
// Starting one gives an `Operation`, advanced by the communicator's thread whenever something arrived, so that many
// buckets are under way at once and none blocks another.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <tightwire/types.hpp>

#include "collectives/buffers.hpp"
#include "collectives/plan.hpp"
#include "collectives/transport.hpp"
#include "compress/codec.hpp"
#include "compress/state.hpp"
#include "kernels/base/arena.hpp"

namespace tw {

/// Seconds that operations of a communicator spent, by what they did. Written by its thread, read by any.
struct PhaseSeconds {
  std::atomic<double> encode = 0;
  std::atomic<double> decode = 0;
};

/// Adds the seconds of its own lifetime to a phase.
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

/// Bytes and messages handed to the transport.
struct SentCount {
  std::uint64_t bytes = 0;
  std::uint64_t messages = 0;
};

/// What every operation of a communicator shares; used by the communicator's thread alone.
struct Group {
  Transport& transport;
  Exec exec;  ///< with the arena, and the status word of `worker_status`
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
  PhaseSeconds seconds;
  SentCount sent;

  std::uint32_t rank() const { return transport.rank(); }
  std::uint32_t ranks() const { return transport.ranks(); }

  /// Posts one message and counts it. `bytes` stays untouched until the request is done.
  Request send(std::uint32_t peer, Tag tag, std::span<std::byte> bytes);
  /// Posts one receive with room for `bytes`.
  Request receive(std::uint32_t peer, Tag tag, std::span<std::byte> bytes);
};

/// Something under way on the communicator's thread.
class Operation {
 public:
  virtual ~Operation() = default;
  /// Does a bounded amount of what arrived data allows, without blocking.
  enum class Progress : std::uint8_t {
    waiting,  ///< nothing to do until something arrives
    more,     ///< there is work that needs no arrival: call again soon
    complete
  };
  virtual Progress advance() = 0;
  /// The rank it cannot go on without, and for what: the words of a deadline's error.
  struct Wait {
    std::uint32_t peer;
    std::string what;
  };
  virtual Wait waiting_for() const = 0;
};

/// An all-reduce of a bucket under way.
class BucketOperation : public Operation {
 public:
  /// True once this rank has encoded and posted everything of its own: its gradient is no longer read and the status
  /// word holds what its encoder found.
  virtual bool gradient_consumed() const = 0;
};

/// Closed formulas of collectives/COSTS.md: what one rank does for one bucket.
struct Cost {
  std::uint64_t sent_bytes = 0;  ///< frames this rank sends, headers included
  std::uint64_t messages = 0;    ///< messages this rank sends
  std::uint32_t steps = 0;       ///< messages that must follow one another
};

/// A row of the algorithm table. Immutable.
class Algorithm {
 public:
  virtual ~Algorithm() = default;
  virtual std::string_view name() const = 0;
  virtual std::string_view summary() const = 0;

  /// Empty when it can carry payloads of these traits; otherwise why not.
  virtual std::string refusal(const CodecTraits& traits) const = 0;

  /// How its plans are cut: the number of owners among `ranks`.
  virtual std::uint32_t owners(std::uint32_t ranks) const = 0;

  /// Bytes and messages of `rank`, for codecs of fixed size.
  virtual Cost cost(const BucketPlan& plan, std::uint32_t ranks, std::uint32_t rank) const = 0;

  /// Declares the memory slots this rank needs for `plan`.
  virtual void declare_slots(State& state, const BucketPlan& plan, std::uint32_t ranks, std::uint32_t rank) const = 0;

  /// Starts the all-reduce of `bucket` (same pieces as `plan`; null data codes as zeros and receives nothing). The mean
  /// replaces the gradients in place. `group`, `plan` and the bucket's pieces outlive the operation.
  virtual std::unique_ptr<BucketOperation> start(Group& group, const BucketPlan& plan,
                                                 std::span<const Piece> pieces) const = 0;
};

/// The table of algorithms, and a row by name (UsageError lists the known ones).
std::span<const Algorithm* const> algorithm_table();
const Algorithm& find_algorithm(std::string_view name);

}  // namespace tw
