// int8: blocks of 8-bit integers with one scale, rounded to nearest (kernels/quantize.hpp). Body: a unit (f32) for each
// block, then a code (i8) for each value.
//
// Contractive: rounding moves no value by more than itself, and the largest of a block hardly at all.
#pragma once

#include "compress/params.hpp"
#include "compress/run_codec.hpp"
#include "kernels/quantize.hpp"

namespace tw {

class Int8 final : public FusedRunCodec {
 public:
  struct Params {
    std::uint64_t block = 256;
  };
  static constexpr std::string_view kName = "int8";
  static constexpr std::string_view kSummary = "8-bit integers, a scale for each block, round to nearest";
  static void declare(Params& params, ParamVisitor& visitor);
  static void check(const Params& params) { check_block(kName, params.block); }

  explicit Int8(const Params& params) : block_(params.block) {}
  std::uint16_t id() const override { return 4; }
  CodecTraits traits(const Param& param) const override;
  std::size_t max_bytes(const Extent& extent) const override;

 protected:
  std::string_view name() const override { return kName; }
  void encode_run(const Context& context, const EncodeJob& job) const override;
  void encode_run_with_residual(const Context& context, const EncodeJob& job, Feedback feedback) const override;
  void decode_run(const Context& context, const DecodeJob& job, Blend how) const override;

 private:
  Int8Body body_of(const Exec& exec, const EncodeJob& job) const;

  std::uint64_t block_;
};

}  // namespace tw
