// What an all-reduce algorithm is: a schedule that moves frames and calls compressors. It never looks inside a payload.
//
// It prepares one `BucketOperation` a bucket at registration. Each step starts it anew; the communicator's thread
// advances it whenever something arrived, so that many buckets are under way at once and none blocks another.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <tightwire/types.hpp>

#include "collectives/group.hpp"
#include "collectives/plan.hpp"
#include "compress/codec.hpp"
#include "compress/state.hpp"
#include "kernels/cuda/event.hpp"

namespace tw {

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
  /// The rank it cannot go on without, and for what: the words of a deadline's error. This rank, where it is something
  /// of its own; none, where it is another one and nobody here can tell which.
  struct Wait {
    std::optional<std::uint32_t> peer;
    std::string what;
  };
  virtual Wait waiting_for() const = 0;
  /// Where a device makes what it is for: the point in the order of a stream behind which that is there, once all of it
  /// is enqueued; null before.
  virtual const cuda::Event* result() const { return nullptr; }
};

/// The all-reduce of one bucket, step after step.
class BucketOperation : public Operation {
 public:
  /// Begins a step's all-reduce of `pieces` (the plan's; null data codes as zeros and receives nothing). The mean
  /// replaces the gradients in place. The last one must be complete; `pieces` outlive this one.
  virtual void start(std::span<const Piece> pieces) = 0;
  /// True once this rank has encoded everything of its own: the status word holds what was found in its gradient.
  virtual bool gradient_consumed() const = 0;
};

/// How the messages of an operation travel. Algorithms prepare one operation for either.
enum class Route : std::uint8_t {
  host_driven,    ///< a message a frame, when the host sees that it is there
  stream_ordered  ///< from device to device in the order of a stream (Caps::stream_ordered), all frames for a peer at
                  ///< once
};

/// Closed formulas of collectives/COSTS.md: what one rank does for one bucket.
struct Cost {
  std::uint64_t sent_bytes = 0;  ///< frames this rank sends, headers included; payloads that the transport sums
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

  /// What `rank` does; of bytes it is the most where a codec's size is not fixed and the route is the host's.
  virtual Cost cost(const BucketPlan& plan, std::uint32_t ranks, std::uint32_t rank, Route route) const = 0;

  /// Declares the memory slots this rank needs for `plan`.
  virtual void declare_slots(State& state, const BucketPlan& plan, std::uint32_t ranks, std::uint32_t rank) const = 0;

  /// The operation of one bucket. `group` and `plan` outlive it.
  virtual std::unique_ptr<BucketOperation> prepare(Group& group, const BucketPlan& plan) const = 0;
};

/// The table of algorithms, and a row by name (UsageError lists the known ones).
std::span<const Algorithm* const> algorithm_table();
const Algorithm& find_algorithm(std::string_view name);

}  // namespace tw
