// fp16, bf16: every value rounded to 16 bits, nearest even; finite values saturate. Body: count u16.
#pragma once

#include "compress/params.hpp"
#include "compress/run_codec.hpp"

namespace tw {

class Cast : public FusedRunCodec {
 public:
  struct Params {};
  static void declare(Params&, ParamVisitor&) {}

  CodecTraits traits(const Param& param) const final;
  std::size_t max_bytes(const Extent& extent) const final;

 protected:
  explicit Cast(DType dtype) : dtype_(dtype) {}
  void encode_run(const Context& context, const EncodeJob& job) const final;
  void encode_run_with_residual(const Context& context, const EncodeJob& job, Feedback feedback) const final;
  void decode_run(const Context& context, const DecodeJob& job, Blend how) const final;

 private:
  DType dtype_;
};

class Fp16 final : public Cast {
 public:
  static constexpr std::string_view kName = "fp16";
  static constexpr std::string_view kSummary = "IEEE half precision, saturating at 65504";
  explicit Fp16(const Params&) : Cast(DType::f16) {}
  std::uint16_t id() const override { return 2; }

 protected:
  std::string_view name() const override { return kName; }
};

class Bf16 final : public Cast {
 public:
  static constexpr std::string_view kName = "bf16";
  static constexpr std::string_view kSummary = "bfloat16: the exponents of f32, 8 bits of precision";
  explicit Bf16(const Params&) : Cast(DType::bf16) {}
  std::uint16_t id() const override { return 3; }

 protected:
  std::string_view name() const override { return kName; }
};

}  // namespace tw
