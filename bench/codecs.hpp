// What `tightwire bench codecs` measures: one codec on one tensor, on its own, without any exchange.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tightwire/exec.hpp>

#include "bench/bandwidth.hpp"
#include "kernels/base/aligned.hpp"

namespace tw {

/// Distributions of gradients: standard normal, Laplace, 99.9 % zeros among normal ones, 16 distinct values.
enum class CodecData : std::uint8_t { gaussian, laplace, sparse, ties };
inline constexpr std::string_view kCodecDataNames[] = {"gaussian", "laplace", "sparse", "ties"};

/// Fills `values`: the same for the same count on every machine with the same libm.
void fill(CodecData data, Team& team, std::span<float> values);

/// An op's throughput and how near it comes to what it must read and write at the memory's measured bandwidth.
struct CodecRate {
  double gbps = 0;         ///< uncompressed bytes, 1e9 a second
  double floor_share = 0;  ///< time of the floor / time
};

struct CodecRow {
  std::string codec;
  CodecData data = CodecData::gaussian;
  std::uint64_t count = 0;
  std::uint32_t threads = 1;
  double bits_per_element = 0;
  double vnmse = 0;  ///< squared error over squared norm
  CodecRate encode, decode;
  std::optional<CodecRate> encode_ef;  ///< where the codec is a contraction
  double memcpy_gbps = 0, read_gbps = 0, write_gbps = 0;
  bool timed = true;  ///< false: rates are no figures
};

struct CodecCase {
  std::string codec;  ///< a spec; error feedback is measured besides, whether or not it names a memory
  CodecData data = CodecData::gaussian;
  Backend backend = Backend::simd;
  std::uint64_t rounds = 7;
};

/// Measures codecs on tensors of one size, in buffers made once. Threads are given a run of the tensor each, cut at the
/// codec's granule (a codec that cannot be cut runs on one). Figures are medians over rounds, each of which measures
/// memory and all ops in turn, so that ratios are of the same minute.
class CodecBench {
 public:
  CodecBench(std::uint64_t count, std::uint32_t threads);
  CodecRow measure(const CodecCase& one);

 private:
  Team team_;
  AlignedVector<float> values_, out_;
  std::optional<CodecData> filled_;
};

}  // namespace tw
