#include "kernels/dither.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/math/lanes.hpp"
#include "kernels/math/levels.hpp"
#include "kernels/math/step.hpp"
#include "kernels/reference.hpp"

namespace tw::reference {
namespace {

float norm_of(std::span<const float> x, Norm norm) {
  if (norm == Norm::max) return std::bit_cast<float>(largest_magnitude(x));
  LaneSum<double> squares;
  for (std::size_t i = 0; i < x.size(); ++i) squares.add(i, static_cast<double>(x[i]) * static_cast<double>(x[i]));
  return static_cast<float>(std::sqrt(squares.total()));  // IEEE: correctly rounded everywhere
}

// Sets bit `i` of each plane of a group of 32.
void put(std::span<std::uint32_t> planes, std::uint64_t i, std::int32_t code) {
  for (std::size_t j = 0; j < planes.size(); ++j) planes[j] |= (static_cast<std::uint32_t>(code) >> j & 1u) << i;
}

std::int32_t code_at(DitherView body, std::uint64_t i) {
  std::uint32_t code = 0;
  for (std::uint32_t j = 0; j < body.bits; ++j) code |= (body.words[i / 32 * body.bits + j] >> (i % 32) & 1u) << j;
  const std::uint32_t sign = 1u << (body.bits - 1);
  return static_cast<std::int32_t>(code ^ sign) - static_cast<std::int32_t>(sign);
}

}  // namespace

void encode_dithered(const Exec& exec, std::span<const float> values, Norm norm, DitherNoise noise, DitherBody body) {
  const std::int32_t levels = (1 << (body.bits - 1)) - 1;
  const PhiloxWords random = at_recorded_step(noise.words, noise.recorded_step);
  std::fill(body.words.begin(), body.words.end(), 0u);
  for_each_block(values.size(), body.block, [&](std::uint64_t b, std::uint64_t begin, std::uint64_t end) {
    const BlockScale scale = block_scale(norm_of(values.subspan(begin, end - begin), norm), static_cast<float>(levels));
    body.units[b] = scale.unit;
    if (!is_finite(scale.unit)) report(exec, kStatusNonFinite);
    if (scale.inverse == 0.0f) return;
    PhiloxCounter words{};
    for (std::uint64_t i = begin; i < end; ++i) {
      if (i % 4 == 0) words = random.quad((noise.first + i) / 4);
      put(body.words.subspan(i / 32 * body.bits, body.bits), i % 32,
          dithered_level(values[i], scale.inverse, levels, words[i % 4]));
    }
  });
}

void encode_dithered_feedback(const Exec& exec, std::span<const float> values, Feedback feedback, Norm norm,
                              DitherNoise noise, DitherBody body) {
  const std::span<float> p = corrected(values, feedback);
  encode_dithered(exec, p, norm, noise, body);
  const DitherView view{body.block, body.bits, body.units, body.words};
  for_each_block(p.size(), body.block, [&](std::uint64_t b, std::uint64_t begin, std::uint64_t end) {
    for (std::uint64_t i = begin; i < end; ++i) p[i] = p[i] - static_cast<float>(code_at(view, i)) * body.units[b];
  });
}

void decode_dithered(const Exec&, DitherView body, Blend how, std::span<float> out) {
  for_each_block(out.size(), body.block, [&](std::uint64_t b, std::uint64_t begin, std::uint64_t end) {
    const float factor = how.scale * body.units[b];
    blend(how.combine, out.subspan(begin, end - begin),
          [&](std::size_t i) { return static_cast<float>(code_at(body, begin + i)) * factor; });
  });
}

}  // namespace tw::reference
