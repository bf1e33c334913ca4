// One codec on one run of a tensor, wherever that lies: what `tightwire bench codecs` times.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "bench/bandwidth.hpp"
#include "compress/compressor.hpp"
#include "compress/state.hpp"
#include "kernels/base/arena.hpp"
#include "kernels/base/place.hpp"
#include "kernels/cuda/batch.hpp"

namespace tw {

/// A codec without memory, and with error feedback where it is a contraction that loses something.
struct MeasuredCodec {
  /// `spec` may name a memory, which is left out.
  MeasuredCodec(const std::string& spec, const Param& param);

  Compressor plain;
  CodecTraits traits;
  std::optional<Compressor> with_feedback;
};

/// Owns what coding a run writes, where `place` works. Codec, parameter and the stream of `place` outlive it.
class CodecWorker {
 public:
  CodecWorker(const Param& param, Part part, const MeasuredCodec& codec, const Exec& place);

  /// Spans are those of the whole tensor. On a device these only enqueue.
  void encode(std::span<const float> values) { encode_with(codec_.plain, nullptr, values); }
  void encode_with_feedback(std::span<const float> values);
  void decode(Combine combine, std::span<float> out);
  /// Of the last encode.
  std::size_t body_bytes() const { return used_; }

 private:
  Context context(State* state);
  void encode_with(const Compressor& codec, State* state, std::span<const float> values);

  const Param& param_;
  Part part_;
  const MeasuredCodec& codec_;
  Exec exec_;
  Arena arena_;
  LaunchBatch batch_;
  Block status_, body_;
  std::size_t room_;
  State state_;
  std::uint32_t used_ = 0;
};

}  // namespace tw
