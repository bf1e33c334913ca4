// What a codec lost, kept for the next step. A memory sits between gradient and codec at both hops:
// p = prepare(g); body = C(p); absorb(p, body, D(body)); after the exchange deliver(mean).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "compress/codec.hpp"
#include "compress/state.hpp"

namespace tw {

/// Immutable; what it keeps lives in `context.state`, under `context.key.hop`.
class Memory {
 public:
  virtual ~Memory() = default;

  /// Declares the slots it needs for a range of `param` at `hop`.
  virtual void declare_slots(State& state, const Param& param, Hop hop, std::uint64_t first,
                             std::uint64_t count) const = 0;

  /// What to encode for `gradient` (ef: p = g + e). `p` has the run's length and may not alias it.
  virtual void prepare(const Context& context, const Input& gradient, std::span<float> p) const = 0;

  /// Learns what was lost: `p` as prepared, the body it became, and what the body decodes to (ef: e' = p - own).
  virtual void absorb(const Context& context, const Input& p, const Codec& codec, std::span<const std::byte> body,
                      std::span<const float> own_estimate) const = 0;

  /// Turns the decoded mean into what the trainer gets; called on every rank for every run.
  virtual void deliver(const Context& context, const Output& mean) const { (void)context, (void)mean; }

  /// The run's residual when this memory is plain error feedback (p = g + e, e' = p - D(C(p))): codecs with
  /// FusedFeedback then do it all in one pass.
  virtual std::optional<SlotView> plain_residual(const Context& context, const Extent& extent) const {
    (void)context, (void)extent;
    return std::nullopt;
  }

  /// True when it needs a contractive codec to converge.
  virtual bool needs_contraction() const = 0;
};

}  // namespace tw
