// identity: the values themselves, in the parameter's own dtype. Body: count elements of 4 or 2 bytes, little-endian.
#pragma once

#include "compress/codec.hpp"
#include "compress/params.hpp"

namespace tw {

class Identity final : public Codec {
 public:
  struct Params {};
  static constexpr std::string_view kName = "identity";
  static constexpr std::string_view kSummary = "values as they are, in the parameter's own type";
  static void declare(Params&, ParamVisitor&) {}

  explicit Identity(const Params&) {}
  std::uint16_t id() const override { return 1; }
  CodecTraits traits(const Param& param) const override;
  std::size_t max_bytes(const Extent& extent) const override;
  void encode(const Context& context, std::span<const EncodeJob> jobs,
              std::span<std::uint32_t> body_bytes) const override;
  void validate(const Context& context, std::span<const std::byte> body, const Extent& extent) const override;
  void decode(const Context& context, std::span<const DecodeJob> jobs, Combine combine, float scale) const override;
};

}  // namespace tw
