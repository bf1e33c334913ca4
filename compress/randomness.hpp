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

#include "compress/codec.hpp"
#include "kernels/base/philox.hpp"
#include "kernels/math/step.hpp"

namespace tw {
namespace detail {

constexpr PhiloxWords words_of(const EncodeKey& key, std::uint32_t param, std::uint32_t rank, std::uint32_t hop) {
  const auto low = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
  const auto high = [](std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32); };
  const PhiloxWords words{{low(key.seed) ^ rank * 0x9E3779B9u, high(key.seed) ^ hop * 0xC2B2AE35u}, {0, param}};
  return at_step(words, key.step);
}

}  // namespace detail

/// Words of one parameter in one step that every sender draws for itself.
constexpr PhiloxWords sender_words(const EncodeKey& key, std::uint32_t param) {
  return detail::words_of(key, param, key.rank, static_cast<std::uint32_t>(key.hop) + 1);
}

/// Words of one parameter in one step that all ranks and hops share.
constexpr PhiloxWords shared_words(const EncodeKey& key, std::uint32_t param) {
  return detail::words_of(key, param, 0xffffffffu, 0);
}

/// The key of the words that an op is given: of step 0 where the op brings them to a recorded step itself
/// (kernels/math/step.hpp).
constexpr EncodeKey key_for_op(const Context& context) {
  EncodeKey key = context.key;
  if (context.recorded_step != nullptr) key.step = 0;
  return key;
}

}  // namespace tw
