// topk: the k values of largest magnitude of every shard, exactly (kernels/select.hpp; Stich et al. 2018, "Sparsified
// SGD with memory"). How many: compress/amount.hpp. Body: k indices (u32, ascending, relative to the run), then k
// values (f32).
//
// Contractive: at least the share k / count of the norm is sent.
#pragma once

#include "compress/amount.hpp"
#include "compress/run_codec.hpp"
#include "kernels/select.hpp"

namespace tw {

class TopK final : public FusedRunCodec, public Selection {
 public:
  using Params = Amount;
  static constexpr std::string_view kName = "topk";
  static constexpr std::string_view kSummary = "the values of largest magnitude, exactly, with their indices";
  static void declare(Params& params, ParamVisitor& visitor) { Amount::declare(params, visitor); }
  static void check(Params& params) { params.settle(kName); }

  explicit TopK(const Params& params) : amount_(params) {}
  std::uint16_t id() const override { return 5; }
  CodecTraits traits(const Param& param) const override;
  std::size_t max_bytes(const Extent& extent) const override;
  const Selection* selection() const override { return this; }
  void check(const Context& context, std::span<const std::byte> body, const Extent& extent) const override;
  void clear_selected(const Context& context, std::span<const std::byte> body, const Extent& extent,
                      std::span<float> values) const override;

 protected:
  std::string_view name() const override { return kName; }
  void encode_run(const Context& context, const EncodeJob& job) const override;
  void encode_run_with_residual(const Context& context, const EncodeJob& job, Feedback feedback) const override;
  void validate_run(std::span<const std::byte> body, const Extent& extent) const override;
  void decode_run(const Context& context, const DecodeJob& job, Blend how) const override;

 private:
  SparseBody body_of(const Exec& exec, const EncodeJob& job) const;
  SparseView view_of(std::span<const std::byte> body, const Extent& extent) const;

  Amount amount_;
};

}  // namespace tw
