#include "kernels/signs.hpp"

#include <algorithm>
#include <bit>

#include "kernels/math/lanes.hpp"
#include "kernels/reference.hpp"

namespace tw::reference {
namespace {

// NaN where the sum of magnitudes is not finite.
float unit_of(std::span<const float> x) {
  LaneSum<float> sum;
  for (std::size_t i = 0; i < x.size(); ++i) sum.add(i, magnitude(x[i]));
  const float total = sum.total();
  return is_finite(total) ? total / static_cast<float>(x.size()) : kNan;
}

std::uint32_t word_of(std::span<const float> x) {
  std::uint32_t word = 0;
  for (std::size_t i = 0; i < x.size(); ++i) word |= std::uint32_t{is_negative(x[i])} << i;
  return word;
}

// `magnitude` with the sign of bit i of the run.
float signed_by(SignView body, std::uint64_t i, float magnitude) {
  const std::uint32_t bit = body.words[i / 32] >> (i % 32) & 1u;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) ^ bit << 31);
}

}  // namespace

void encode_signs(const Exec& exec, std::span<const float> values, SignBody body) {
  for_each_block(values.size(), body.block, [&](std::uint64_t b, std::uint64_t begin, std::uint64_t end) {
    const float unit = body.units[b] = unit_of(values.subspan(begin, end - begin));
    if (!is_finite(unit)) report(exec, kStatusNonFinite);
    for (std::uint64_t i = begin; i < end; i += 32)
      body.words[i / 32] = is_finite(unit) ? word_of(values.subspan(i, std::min<std::uint64_t>(32, end - i))) : 0;
  });
}

void encode_signs_feedback(const Exec& exec, std::span<const float> values, Feedback feedback, SignBody body) {
  const std::span<float> p = corrected(values, feedback);
  encode_signs(exec, p, body);
  const SignView view{body.block, body.units, body.words};
  for_each_block(p.size(), body.block, [&](std::uint64_t b, std::uint64_t begin, std::uint64_t end) {
    for (std::uint64_t i = begin; i < end; ++i) p[i] = p[i] - signed_by(view, i, body.units[b]);
  });
}

void decode_signs(const Exec&, SignView body, Blend how, std::span<float> out) {
  for_each_block(out.size(), body.block, [&](std::uint64_t b, std::uint64_t begin, std::uint64_t end) {
    const float factor = how.scale * body.units[b];
    blend(how.combine, out.subspan(begin, end - begin),
          [&](std::size_t i) { return signed_by(body, begin + i, factor); });
  });
}

}  // namespace tw::reference
