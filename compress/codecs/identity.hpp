// identity: the values themselves, in the parameter's own type. Body: count elements of 4 or 2 bytes.
#pragma once

#include "compress/params.hpp"
#include "compress/run_codec.hpp"

namespace tw {

class Identity final : public RunCodec {
 public:
  struct Params {};
  static constexpr std::string_view kName = "identity";
  static constexpr std::string_view kSummary = "values as they are, in the parameter's own type";
  static void declare(Params&, ParamVisitor&) {}

  explicit Identity(const Params&) {}
  std::uint16_t id() const override { return 1; }
  CodecTraits traits(const Param& param) const override;
  std::size_t max_bytes(const Extent& extent) const override;

 protected:
  std::string_view name() const override { return kName; }
  void encode_run(const Context& context, const EncodeJob& job) const override;
  void decode_run(const Context& context, const DecodeJob& job, Blend how) const override;
};

}  // namespace tw
