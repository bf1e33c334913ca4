#include "kernels/quantize.hpp"

#include <algorithm>
#include <bit>

#include "kernels/math/levels.hpp"
#include "kernels/reference.hpp"

namespace tw::reference {
namespace {

constexpr float kLevels = 127.0f;

std::int8_t code_of(float value, float inverse) {
  return static_cast<std::int8_t>(nearest_level(value, inverse, kLevels));
}

}  // namespace

void quantize_int8(const Exec& exec, std::span<const float> values, Int8Body body) {
  for_each_block(values.size(), body.block, [&](std::uint64_t b, std::uint64_t begin, std::uint64_t end) {
    const auto x = values.subspan(begin, end - begin);
    const auto codes = body.codes.subspan(begin, end - begin);
    const BlockScale scale = block_scale(std::bit_cast<float>(largest_magnitude(x)), kLevels);
    body.units[b] = scale.unit;
    if (!is_finite(scale.unit)) report(exec, kStatusNonFinite);
    if (scale.inverse == 0.0f)
      std::fill(codes.begin(), codes.end(), std::int8_t{0});
    else
      std::transform(x.begin(), x.end(), codes.begin(), [&](float value) { return code_of(value, scale.inverse); });
  });
}

void quantize_int8_feedback(const Exec& exec, std::span<const float> values, Feedback feedback, Int8Body body) {
  const std::span<float> p = corrected(values, feedback);
  quantize_int8(exec, p, body);
  for_each_block(p.size(), body.block, [&](std::uint64_t b, std::uint64_t begin, std::uint64_t end) {
    for (std::uint64_t i = begin; i < end; ++i) p[i] = p[i] - static_cast<float>(body.codes[i]) * body.units[b];
  });
}

void dequantize_int8(const Exec&, Int8View body, Blend how, std::span<float> out) {
  for_each_block(out.size(), body.block, [&](std::uint64_t b, std::uint64_t begin, std::uint64_t end) {
    const float factor = how.scale * body.units[b];
    const auto codes = body.codes.subspan(begin, end - begin);
    blend(how.combine, out.subspan(begin, end - begin),
          [&](std::size_t i) { return static_cast<float>(codes[i]) * factor; });
  });
}

}  // namespace tw::reference
