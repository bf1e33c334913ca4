// Bit planes of a row's codes (kernels/cuda/rows.hpp), and their words: a word is one plane of 32 neighbours, of which
// eight lanes hold four each.
//
// A lane's four codes are bytes, first to last the codes of elements 0, 2, 1, 3: one exchange of bits less. Its planes
// are nibbles: bit k of nibble p is bit p of element k's code.
#pragma once

#include <cstdint>

#include "kernels/cuda/rows.hpp"

namespace tw::cuda {

/// By how many bits the code of a lane's element k is shifted.
constexpr unsigned byte_shift(unsigned k) { return k == 1 ? 16 : k == 2 ? 8 : 8 * k; }

/// Exchanges the bits of `mask` with those `distance` above.
__device__ inline std::uint32_t exchanged(std::uint32_t x, std::uint32_t mask, unsigned distance) {
  const std::uint32_t differ = (x ^ x >> distance) & mask;
  return x ^ differ ^ differ << distance;
}

// The digits of a bit's place go from (k0 k1 p2 p1 p0) to (p2 k1 k0 p1 p0), (p2 p1 k0 k1 p0), (p2 p1 p0 k1 k0).
__device__ inline std::uint32_t planes_of_codes(std::uint32_t bytes) {
  return exchanged(exchanged(exchanged(bytes, 0x0000f0f0, 12), 0x00cc00cc, 6), 0x0a0a0a0a, 3);
}
__device__ inline std::uint32_t codes_of_planes(std::uint32_t nibbles) {
  return exchanged(exchanged(exchanged(nibbles, 0x0a0a0a0a, 3), 0x00cc00cc, 6), 0x0000f0f0, 12);
}

/// The plane whose word a lane gets from `gathered_plane`: the digits of lane % 8 turned round.
__device__ inline unsigned plane_of_lane() { return (lane() & 1) << 2 | (lane() & 2) | (lane() & 4) >> 2; }

/// From the nibbles of eight lanes, eight words. In each of three steps a digit of the lane is exchanged for a digit of
/// the place, by a shuffle and a permutation of bytes. By all lanes.
__device__ inline std::uint32_t gathered_plane(std::uint32_t nibbles) {
  const auto joined = [](std::uint32_t own, unsigned distance, std::uint32_t low, std::uint32_t high) {
    const std::uint32_t other = __shfl_xor_sync(kAllLanes, own, static_cast<int>(distance));
    return __byte_perm(own, other, (lane() & distance) != 0 ? high : low);
  };
  const std::uint32_t pairs = joined(nibbles, 1, 0x5410, 0x3276);  // halves: four planes of the even lane, of the odd
  const std::uint32_t bytes = exchanged(pairs, 0x0000f0f0, 12);    // planes 0, 2, 1, 3 of those four
  return joined(joined(bytes, 2, 0x6240, 0x3715), 4, 0x5410, 0x3276);
}

}  // namespace tw::cuda
