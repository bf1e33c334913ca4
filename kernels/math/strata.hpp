// `count` elements cut into `parts` strata as equal as can be: stratum j is [j * count / parts, (j+1) * count / parts).
#pragma once

#include <cstdint>

namespace tw {

struct Stratum {
  std::uint64_t first;
  std::uint64_t count;
};

/// Both at most 2^32, parts <= count.
constexpr Stratum stratum(std::uint64_t j, std::uint64_t parts, std::uint64_t count) {
  const std::uint64_t begin = j * count / parts;
  return {begin, (j + 1) * count / parts - begin};
}

/// One element of the stratum, by a random word: all equally likely up to count / 2^32.
constexpr std::uint32_t drawn(Stratum s, std::uint32_t word) {
  return static_cast<std::uint32_t>(s.first + (s.count * word >> 32));
}

}  // namespace tw
