// Random words for codecs: a pure function of (seed, step, parameter, rank, hop, element), so that device, thread
// order, chunking and bucketing do not show. The word of element i, counted from the parameter's start, is word i % 4
// of Philox4x32-10 with
//
//   counter = {i / 4 low, i / 4 high, step low, parameter id}
//   key     = {seed low ^ rank * 9E3779B9, seed high ^ step high * 85EBCA6B ^ (hop + 1) * C2B2AE35}   (mod 2^32)
//
// Words shared by all ranks and both hops take rank = FFFFFFFF and hop + 1 = 0.
#pragma once

#include <cstdint>

#include <tightwire/types.hpp>

#include "kernels/base/philox.hpp"

namespace tw {

/// The random words of one parameter in one step, for one sender. Random access; a value type.
class RandomWords {
 public:
  /// Words that every sender draws for itself.
  static constexpr RandomWords of_sender(const EncodeKey& key, std::uint32_t param) {
    return RandomWords(key, param, key.rank, static_cast<std::uint32_t>(key.hop) + 1);
  }
  /// Words that all ranks and hops share.
  static constexpr RandomWords shared(const EncodeKey& key, std::uint32_t param) {
    return RandomWords(key, param, 0xffffffffu, 0);
  }

  /// Words of elements 4 * quad to 4 * quad + 3.
  constexpr PhiloxCounter quad(std::uint64_t quad) const {
    return philox4x32({static_cast<std::uint32_t>(quad), static_cast<std::uint32_t>(quad >> 32), step_, param_}, key_);
  }
  constexpr std::uint32_t word(std::uint64_t element) const { return quad(element / 4)[element % 4]; }

  constexpr PhiloxKey key() const { return key_; }
  constexpr std::uint32_t step() const { return step_; }
  constexpr std::uint32_t param() const { return param_; }

 private:
  constexpr RandomWords(const EncodeKey& key, std::uint32_t param, std::uint32_t rank, std::uint32_t hop)
      : key_{static_cast<std::uint32_t>(key.seed) ^ rank * 0x9E3779B9u,
             static_cast<std::uint32_t>(key.seed >> 32) ^ static_cast<std::uint32_t>(key.step >> 32) * 0x85EBCA6Bu ^
                 hop * 0xC2B2AE35u},
        step_(static_cast<std::uint32_t>(key.step)),
        param_(param) {}

  PhiloxKey key_;
  std::uint32_t step_;
  std::uint32_t param_;
};

}  // namespace tw
