#include "kernels/cast.hpp"

#include "kernels/inspect.hpp"
#include "kernels/math/cast.hpp"
#include "kernels/reference.hpp"

namespace tw::reference {
namespace {

template <class Half>
void narrow_as(std::span<const float> values, std::span<std::uint16_t> bits) {
  for (std::size_t i = 0; i < values.size(); ++i) bits[i] = Half::narrow(values[i]);
}

template <class Half>
void subtract_as(std::span<const std::uint16_t> bits, std::span<float> p) {
  for (std::size_t i = 0; i < p.size(); ++i) p[i] = p[i] - Half::widen(bits[i]);
}

template <class Half>
void widen_as(std::span<const std::uint16_t> bits, Blend how, std::span<float> out) {
  blend(how.combine, out, [&](std::size_t i) { return how.scale * Half::widen(bits[i]); });
}

}  // namespace

void narrow(const Exec& exec, std::span<const float> values, DType dtype, std::span<std::uint16_t> bits) {
  inspect(exec, values);
  dtype == DType::f16 ? narrow_as<HalfCast>(values, bits) : narrow_as<BrainCast>(values, bits);
}

void narrow_feedback(const Exec& exec, std::span<const float> values, Feedback feedback, DType dtype,
                     std::span<std::uint16_t> bits) {
  const std::span<float> p = corrected(values, feedback);
  narrow(exec, p, dtype, bits);
  dtype == DType::f16 ? subtract_as<HalfCast>(bits, p) : subtract_as<BrainCast>(bits, p);
}

void widen(const Exec&, std::span<const std::uint16_t> bits, DType dtype, Blend how, std::span<float> out) {
  dtype == DType::f16 ? widen_as<HalfCast>(bits, how, out) : widen_as<BrainCast>(bits, how, out);
}

void copy_values(const Exec& exec, std::span<const float> values, std::span<float> out) {
  inspect(exec, values);
  for (std::size_t i = 0; i < values.size(); ++i) out[i] = canonical(values[i]);
}

void blend_values(const Exec&, std::span<const float> values, Blend how, std::span<float> out) {
  blend(how.combine, out, [&](std::size_t i) { return how.scale * values[i]; });
}

}  // namespace tw::reference
