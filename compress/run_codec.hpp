// What most codecs are: bodies of a size that follows from the extent, one run coded at a time. A codec then says only
// what its arrays are and which ops fill and read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "compress/body.hpp"
#include "compress/codec.hpp"

namespace tw {

/// Elements that keep a cut on a cache line, for codecs that may be cut anywhere.
inline constexpr std::uint64_t kDenseGranule = 32;

class RunCodec : public Codec {
 public:
  void encode(const Context& context, std::span<const EncodeJob> jobs, std::span<std::uint32_t> body_bytes) const final;
  void validate(const Context& context, std::span<const std::byte> body, const Extent& extent) const final;
  void decode(const Context& context, std::span<const DecodeJob> jobs, Combine combine, float scale) const final;

 protected:
  virtual std::string_view name() const = 0;
  /// Writes all of job.body.
  virtual void encode_run(const Context& context, const EncodeJob& job) const = 0;
  /// Adds what the size of `body`, already checked, does not tell. Throws WireError.
  virtual void validate_run(std::span<const std::byte> body, const Extent& extent) const { (void)body, (void)extent; }
  virtual void decode_run(const Context& context, const DecodeJob& job, Blend how) const = 0;
};

/// The same with error feedback in one pass.
class FusedRunCodec : public RunCodec, public FusedFeedback {
 public:
  void encode_with_residual(const Context& context, std::span<const Job> jobs,
                            std::span<std::uint32_t> body_bytes) const final;
  const FusedFeedback* fused_feedback() const final { return this; }

 protected:
  virtual void encode_run_with_residual(const Context& context, const EncodeJob& job, Feedback feedback) const = 0;
};

/// Throws UsageError unless `block` is a multiple of 32: warps and sign words then never straddle blocks.
void check_block(std::string_view codec, std::uint64_t block);

/// Blocks of an extent; the last may be short.
constexpr std::uint64_t blocks_of(std::uint64_t count, std::uint64_t block) { return (count + block - 1) / block; }

}  // namespace tw
