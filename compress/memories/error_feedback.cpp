#include "compress/memories/error_feedback.hpp"

#include "kernels/feedback.hpp"

namespace tw {
namespace {
constexpr std::string_view kSlot = "residual";

SlotView residual_of(const Context& context, const Extent& extent) {
  return context.state->write(*extent.param, context.key.hop, kSlot, extent.first, extent.count);
}
}  // namespace

void ErrorFeedback::declare_slots(State& state, const Param& param, Hop hop, std::uint64_t first,
                                  std::uint64_t count) const {
  state.declare(param, hop, kSlot, first, count);
}

void ErrorFeedback::prepare(const Context& context, const Input& gradient, std::span<float> p) const {
  const SlotView residual = residual_of(context, {gradient.param, gradient.first, gradient.values.size()});
  correct(context.exec, gradient.values, residual.live, p);
}

void ErrorFeedback::absorb(const Context& context, const Input& p, const Codec&, std::span<const std::byte>,
                           std::span<const float> own_estimate) const {
  const SlotView residual = residual_of(context, {p.param, p.first, p.values.size()});
  remainder(context.exec, p.values, own_estimate, residual.next);
}

std::optional<SlotView> ErrorFeedback::plain_residual(const Context& context, const Extent& extent) const {
  return residual_of(context, extent);
}

}  // namespace tw
