// From what was timed and decoded to a row of `tightwire bench codecs`.
#pragma once

#include <span>
#include <vector>

#include "bench/codecs.hpp"
#include "compress/codec.hpp"

namespace tw {

/// Of each op, a round an entry.
struct CodecSeconds {
  std::vector<double> copy, read, write, encode, encode_ef, decode;
};

/// What was coded, on the host: the tensor, what it decodes to, the bytes between.
struct CodecResult {
  std::span<const float> values, decoded;
  double body_bytes = 0;
  bool sparse = false;  ///< decoding touches only what is not zero
};

/// All but names and threads.
CodecRow figures_of(const CodecSeconds& seconds, const CodecResult& result);

}  // namespace tw
