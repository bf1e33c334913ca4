// Philox4x32-10: counter-based random numbers, the same on every device (Salmon et al. 2011, "Parallel random numbers:
// as easy as 1, 2, 3", section 3.2). constexpr, so host and device code share it.
#pragma once

#include <array>
#include <cstdint>

namespace tw {

using PhiloxCounter = std::array<std::uint32_t, 4>;
using PhiloxKey = std::array<std::uint32_t, 2>;

/// Four random words of `counter` under `key`: ten rounds.
constexpr PhiloxCounter philox4x32(PhiloxCounter counter, PhiloxKey key) {
  constexpr std::uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{kMultiplier0} * counter[0];
    const std::uint64_t product1 = std::uint64_t{kMultiplier1} * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

/// A stream of random words with random access: word i is word i % 4 of the counter {i / 4 low, i / 4 high, high[0],
/// high[1]}. A value type.
struct PhiloxWords {
  PhiloxKey key;
  std::array<std::uint32_t, 2> high;  ///< the upper half of every counter

  /// Words 4 * quad to 4 * quad + 3.
  constexpr PhiloxCounter quad(std::uint64_t quad) const {
    return philox4x32({static_cast<std::uint32_t>(quad), static_cast<std::uint32_t>(quad >> 32), high[0], high[1]},
                      key);
  }
  constexpr std::uint32_t word(std::uint64_t index) const { return quad(index / 4)[index % 4]; }
};

}  // namespace tw
