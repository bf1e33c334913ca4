// onebit: signs with one scale for each block, the mean magnitude (kernels/signs.hpp). Body: a unit (f32) for each
// block, then a word (u32) for each 32 values. For error feedback (Karimireddy et al. 2019, "Error feedback fixes
// SignSGD and other gradient compression schemes").
//
// Contractive: the error is |x|^2 - count * unit^2, never more than (1 - 1 / count) |x|^2.
#pragma once

#include "compress/params.hpp"
#include "compress/run_codec.hpp"
#include "kernels/signs.hpp"

namespace tw {

class OneBit final : public FusedRunCodec {
 public:
  struct Params {
    std::uint64_t block = 256;
  };
  static constexpr std::string_view kName = "onebit";
  static constexpr std::string_view kSummary = "signs, and the mean magnitude of each block";
  static void declare(Params& params, ParamVisitor& visitor);
  static void check(const Params& params) { check_block(kName, params.block); }

  explicit OneBit(const Params& params) : block_(params.block) {}
  std::uint16_t id() const override { return 6; }
  CodecTraits traits(const Param& param) const override;
  std::size_t max_bytes(const Extent& extent) const override;

 protected:
  std::string_view name() const override { return kName; }
  void encode_run(const Context& context, const EncodeJob& job) const override;
  void encode_run_with_residual(const Context& context, const EncodeJob& job, Feedback feedback) const override;
  void decode_run(const Context& context, const DecodeJob& job, Blend how) const override;

 private:
  SignBody body_of(const Exec& exec, const EncodeJob& job) const;

  std::uint64_t block_;
};

}  // namespace tw
