// Elements are pure functions of their index, so threads share the work.
#include <cmath>

#include "bench/codecs.hpp"
#include "kernels/base/philox.hpp"

namespace tw {
namespace {

// In (0, 1), 24 bits.
float uniform(std::uint32_t word) { return (static_cast<float>(word >> 8) + 0.5f) * 0x1p-24f; }

// Box and Muller.
float normal(const PhiloxCounter& words) {
  return std::sqrt(-2.0f * std::log(uniform(words[0]))) * std::cos(6.2831853f * uniform(words[1]));
}

float value_of(CodecData data, std::uint64_t i) {
  const PhiloxCounter words =
      philox4x32({static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(i >> 32), 0, 0}, {20240521, 0});
  switch (data) {
    case CodecData::gaussian:
      return normal(words);
    case CodecData::laplace:
      return std::log(uniform(words[0])) * ((words[1] & 1u) != 0 ? 1.0f : -1.0f);
    case CodecData::sparse:
      return words[2] < 0xffffffffu / 1000 ? normal(words) : 0.0f;
    case CodecData::ties:
      return static_cast<float>(words[0] & 15u) - 8.0f;
  }
  return 0.0f;
}

}  // namespace

void fill(CodecData data, Team& team, std::span<float> values) {
  team.run([&](std::uint32_t thread) {
    const Part part = part_of(values.size(), 1024, thread, team.threads());
    for (std::uint64_t i = part.first; i < part.first + part.count; ++i) values[i] = value_of(data, i);
  });
}

}  // namespace tw
