// What a codec is: an immutable value that turns runs of f32 into bytes and back. It never communicates.
//
// A codec sees `Run`s (a parameter, where in it, the values) and bodies (bytes). It is given many at a time so that a
// device codec can code them in one launch. What it may do beyond that is a capability: a pointer that is null where
// the codec lacks it (`fused_feedback`, `selection`).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <tightwire/exec.hpp>
#include <tightwire/types.hpp>

#include "kernels/base/operands.hpp"

namespace tw {

class State;

/// A run of one parameter as codecs see it: elements [first, first + values.size()), widened to f32.
template <class Float>
struct Run {
  const Param* param = nullptr;
  std::uint64_t first = 0;
  std::span<Float> values;
};
using Input = Run<const float>;
using Output = Run<float>;

/// Where a run lies, without its values: all that sizes and layouts may depend on.
struct Extent {
  const Param* param = nullptr;
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

/// What every hook is told first: where it runs, the key of the sender, the step, the state of memories.
struct Context {
  const Exec& exec;
  EncodeKey key;
  const StepInfo& step;
  State* state = nullptr;
  /// Where kernels find the step in place of key.step, for work that is captured once and runs in many steps
  /// (compress/captured.hpp): an address where `exec` works, which stays. Null: the step is key.step.
  const std::uint64_t* recorded_step = nullptr;
};

/// What a codec promises; collectives and memories choose by these, never by name.
struct CodecTraits {
  bool lossless = false;      ///< decode(encode(x)) == x for values of the parameter's dtype
  bool unbiased = false;      ///< E[decode(encode(x))] == x
  bool contractive = false;   ///< E|x - decode(encode(x))|^2 <= (1 - alpha) |x|^2, some alpha > 0: feedback converges
  bool linear = false;        ///< payloads may be summed as arrays of floats
  bool homomorphic = false;   ///< payloads may be summed as arrays of integers
  bool fixed_size = true;     ///< a body takes exactly `max_bytes` of its extent
  bool sparse = false;        ///< most decoded values are zero; shards are never cut into chunks
  std::uint64_t granule = 1;  ///< parameters are cut only at multiples of this many elements; 0: never cut
};

/// One run to encode, and room of exactly `max_bytes` for its body, 16-byte aligned.
struct EncodeJob {
  Input input;
  std::span<std::byte> body;
};

/// One body to decode, already validated, and the run it decodes into.
struct DecodeJob {
  std::span<const std::byte> body;
  Output output;
};

/// Encodes with error feedback in one pass over memory: p = gradient + residual_in, body = C(p),
/// residual_out = p - D(body), bit for bit what the three steps give. `residual_in` and `residual_out` may not overlap.
class FusedFeedback {
 public:
  virtual ~FusedFeedback() = default;
  struct Job {
    EncodeJob encode;
    std::span<const float> residual_in;
    std::span<float> residual_out;
  };
  virtual void encode_with_residual(const Context& context, std::span<const Job> jobs,
                                    std::span<std::uint32_t> body_bytes) const = 0;
};

/// What sparse codecs can tell of their bodies.
class Selection {
 public:
  virtual ~Selection() = default;
  /// Zeroes, in `values`, the elements that `body` carries (the run is `extent`).
  virtual void clear_selected(const Context& context, std::span<const std::byte> body, const Extent& extent,
                              std::span<float> values) const = 0;
};

/// A codec. Immutable and safe to share between threads. Adding one: see CONTRIBUTING.md.
class Codec {
 public:
  virtual ~Codec() = default;

  /// The number on the wire; never reused (compress/FORMAT.md).
  virtual std::uint16_t id() const = 0;
  virtual CodecTraits traits(const Param& param) const = 0;

  /// Most bytes a body of `extent` can take, exactly what it takes when `fixed_size`; a multiple of 16. 0 for count 0.
  virtual std::size_t max_bytes(const Extent& extent) const = 0;

  /// Encodes every job; `body_bytes[i]` receives the bytes used of job i's body (padding to 16 included, zeroed).
  /// Non-finite input sets kStatusNonFinite; what is coded then is deterministic but of no use. Same key and values,
  /// same bytes, on every backend and however runs are grouped.
  virtual void encode(const Context& context, std::span<const EncodeJob> jobs,
                      std::span<std::uint32_t> body_bytes) const = 0;

  /// Throws WireError unless `body`, which may come from anybody, can be decoded for `extent` without leaving bounds.
  virtual void validate(const Context& context, std::span<const std::byte> body, const Extent& extent) const = 0;

  /// The same for a body that came to the device without passing the host: enqueues what `validate` would look at and
  /// reports kStatusBadPayload. Decoding such a body stays in bounds. Sizes were checked before.
  virtual void check(const Context& context, std::span<const std::byte> body, const Extent& extent) const {
    (void)context, (void)body, (void)extent;
  }

  /// Decodes validated bodies. `context.key` is the sender's. With Combine::assign every element is written.
  virtual void decode(const Context& context, std::span<const DecodeJob> jobs, Combine combine, float scale) const = 0;

  virtual const FusedFeedback* fused_feedback() const { return nullptr; }
  virtual const Selection* selection() const { return nullptr; }
};

}  // namespace tw
