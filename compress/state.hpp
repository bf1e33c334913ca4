// What memories keep between steps (residuals and their kin), as a transaction: encoding reads a slot's live buffer and
// writes its next buffer; the end of the step swaps them on every rank or discards them on every rank.
//
// Slots are keyed by parameter, hop and name, never by bucket, and hold the range that this rank codes: the whole
// parameter as a worker, its shard as an owner. They lie where codecs work: on the host, or on a device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <tightwire/types.hpp>

#include "kernels/base/place.hpp"

namespace tw {

/// The part of a slot that covers one run.
struct SlotView {
  std::span<const float> live;
  std::span<float> next;
};

/// Not thread safe; used by the communicator's thread alone.
class State {
  struct Slot;

 public:
  /// Slots lie where `exec` works; on a device they are written on its stream, which must outlive the state.
  explicit State(const Exec& exec = {}) : exec_(exec) {}

  /// Makes the slot for elements [first, first + count) of the parameter, zeros, unless it is there already with the
  /// same range. Slots are declared at registration so that no step allocates.
  void declare(const Param& param, Hop hop, std::string_view name, std::uint64_t first, std::uint64_t count);

  /// Views of [first, first + count) in the slot; the slot's next buffer counts as written from here on. Every element
  /// of a written slot must be written before `commit`. Throws UsageError where no such slot was declared.
  SlotView write(const Param& param, Hop hop, std::string_view name, std::uint64_t first, std::uint64_t count);

  /// Slots that some work writes and the buffers it met: for work that is captured once, and done again by others than
  /// those who call `write` (compress/captured.hpp).
  class Writes {
    friend class State;
    struct Met {
      Slot* slot;
      const std::byte* live;
    };
    std::vector<Met> met_;
  };
  /// Runs `work` and gives what it writes. Throws what it throws.
  Writes watch(const std::function<void()>& work);
  /// Whether the same work would meet the same buffers now. Slots alternate between two, each with the steps that
  /// wrote it.
  bool would_meet(const Writes& writes) const;
  /// The same slots count as written, without a call of `write`.
  void write_again(const Writes& writes);

  /// Swaps live and next of every written slot.
  void commit();
  /// Forgets what was written since the last commit; live buffers are untouched.
  void rollback();

  /// Bytes held, both buffers.
  std::size_t bytes() const;
  /// Where slots lie, and how to get at them: with copies in this Exec's order.
  const Exec& exec() const { return exec_; }

  /// Calls `visit` for every slot in key order: its name ("w1.weight/worker/residual"-like key parts) and live values.
  struct Entry {
    std::uint32_t param;
    Hop hop;
    std::string_view name;
    std::uint64_t first;
    std::span<float> live;
  };
  void for_each(const std::function<void(const Entry&)>& visit);

 private:
  struct Slot {
    std::uint64_t first = 0, count = 0;
    Block live, next;  // of `count` f32
    bool written = false;
  };
  using Key = std::tuple<std::uint32_t, Hop, std::string>;
  Exec exec_;
  std::map<Key, Slot, std::less<>> slots_;
  Writes* watched_ = nullptr;
};

}  // namespace tw
