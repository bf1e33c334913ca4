// ef: error feedback. What encoding lost is added to the next gradient: p = g + e, e' = p - D(C(p)) (Seide et al. 2014,
// section 3; Karimireddy et al. 2019, algorithm 1, without its step size). Kept at both hops: the owner keeps what was
// lost of the mean.
#pragma once

#include "compress/memory.hpp"
#include "compress/params.hpp"

namespace tw {

class ErrorFeedback final : public Memory {
 public:
  struct Params {};
  static constexpr std::string_view kName = "ef";
  static constexpr std::string_view kSummary = "error feedback: what a step loses is added to the next";
  static void declare(Params&, ParamVisitor&) {}

  explicit ErrorFeedback(const Params&) {}
  void declare_slots(State& state, const Param& param, Hop hop, std::uint64_t first,
                     std::uint64_t count) const override;
  void prepare(const Context& context, const Input& gradient, std::span<float> p) const override;
  void absorb(const Context& context, const Input& p, const Codec& codec, std::span<const std::byte> body,
              std::span<const float> own_estimate) const override;
  std::optional<SlotView> plain_residual(const Context& context, const Extent& extent) const override;
  bool needs_contraction() const override { return true; }
};

}  // namespace tw
