// randomk: k values of every shard at random indices that nobody sends: all ranks and both hops draw the same, one in
// each of k strata (kernels/sample.hpp). How many: compress/amount.hpp. Body: k values (f32), in order of index.
//
// Linear: every rank's payload is of the same indices. mode=biased sends values as they are: contractive, for error
// feedback (in expectation the share k / count of the norm is sent). mode=unbiased multiplies each by the size of its
// stratum, in f32: unbiased, and its error may exceed its input. Workers do so; an owner's mean lies on these indices
// already and is sent as it is.
#pragma once

#include "compress/amount.hpp"
#include "compress/run_codec.hpp"
#include "kernels/sample.hpp"

namespace tw {

class RandomK final : public RunCodec, public Selection {
 public:
  struct Params {
    Amount amount;
    std::uint32_t mode = 0;  // biased, unbiased
  };
  static constexpr std::string_view kName = "randomk";
  static constexpr std::string_view kSummary = "values at random indices, the same on all ranks, that are never sent";
  static void declare(Params& params, ParamVisitor& visitor);
  static void check(Params& params) { params.amount.settle(kName); }

  explicit RandomK(const Params& params) : amount_(params.amount), unbiased_(params.mode == 1) {}
  std::uint16_t id() const override { return 8; }
  CodecTraits traits(const Param& param) const override;
  std::size_t max_bytes(const Extent& extent) const override;
  const Selection* selection() const override { return this; }
  void clear_selected(const Context& context, std::span<const std::byte> body, const Extent& extent,
                      std::span<float> values) const override;

 protected:
  std::string_view name() const override { return kName; }
  void encode_run(const Context& context, const EncodeJob& job) const override;
  void decode_run(const Context& context, const DecodeJob& job, Blend how) const override;

 private:
  Amount amount_;
  bool unbiased_;
};

}  // namespace tw
