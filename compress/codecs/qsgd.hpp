// qsgd: stochastic rounding to 2^(bits-1) - 1 levels of a block's norm and their negatives (kernels/dither.hpp;
// Alistarh et al. 2017). Body: a unit (f32) for each block, then `bits` words (u32) for each 32 values.
//
// Unbiased. With a = |x| / unit below 1, E error^2 - x^2 = unit^2 (a - 2 a^2): at most 1/8 unit^2 a value, which the
// largest value of a block pays for when block - 1 < 8 levels^2 (norm=max). With norm=l2 a constant block is the worst:
// block < 4 levels^2. Contractive only there: low bits need small blocks, e.g. bits=4 block <= 384, or 192 with l2.
#pragma once

#include "compress/params.hpp"
#include "compress/run_codec.hpp"
#include "kernels/dither.hpp"

namespace tw {

class Qsgd final : public FusedRunCodec {
 public:
  struct Params {
    std::uint64_t bits = 4;
    std::uint64_t block = 512;
    std::uint32_t norm = 0;  // index into Norm
  };
  static constexpr std::string_view kName = "qsgd";
  static constexpr std::string_view kSummary = "stochastic rounding to a few levels of a block's norm; unbiased";
  static void declare(Params& params, ParamVisitor& visitor);
  static void check(const Params& params) { check_block(kName, params.block); }

  explicit Qsgd(const Params& params)
      : bits_(static_cast<std::uint32_t>(params.bits)), block_(params.block), norm_(static_cast<Norm>(params.norm)) {}
  std::uint16_t id() const override { return 7; }
  CodecTraits traits(const Param& param) const override;
  std::size_t max_bytes(const Extent& extent) const override;

 protected:
  std::string_view name() const override { return kName; }
  void encode_run(const Context& context, const EncodeJob& job) const override;
  void encode_run_with_residual(const Context& context, const EncodeJob& job, Feedback feedback) const override;
  void decode_run(const Context& context, const DecodeJob& job, Blend how) const override;

 private:
  std::uint64_t words_of(std::uint64_t count) const { return (count + 31) / 32 * bits_; }
  DitherBody body_of(const Exec& exec, const EncodeJob& job) const;

  std::uint32_t bits_;
  std::uint64_t block_;
  Norm norm_;
};

}  // namespace tw
