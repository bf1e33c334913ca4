#include "bench/codecs_figures.hpp"

#include <algorithm>

namespace tw {
namespace {

// What decode-and-add changes.
double touched_bytes(const CodecResult& result) {
  const auto untouched = result.sparse ? std::count(result.decoded.begin(), result.decoded.end(), 0.0f) : 0;
  return static_cast<double>((result.decoded.size() - static_cast<std::size_t>(untouched)) * sizeof(float));
}

double vnmse_of(const CodecResult& result) {
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < result.values.size(); ++i) {
    const double value = result.values[i], lost = value - static_cast<double>(result.decoded[i]);
    error += lost * lost;
    norm += value * value;
  }
  return norm > 0 ? error / norm : error;
}

}  // namespace

CodecRow figures_of(const CodecSeconds& seconds, const CodecResult& result) {
  const double bytes = static_cast<double>(result.values.size_bytes());
  const double read = bytes / median_of(seconds.read), written = bytes / median_of(seconds.write);
  const double body = result.body_bytes, touched = touched_bytes(result);
  const auto rate = [&](const std::vector<double>& times, double floor_seconds) {
    const double median = median_of(times);
    return CodecRate{bytes / median / 1e9, floor_seconds / median};
  };
  CodecRow row;
  row.count = result.values.size();
  row.bits_per_element = 8 * body / static_cast<double>(result.values.size());
  row.vnmse = vnmse_of(result);
  row.encode = rate(seconds.encode, bytes / read + body / written);
  row.decode = rate(seconds.decode, (body + touched) / read + touched / written);
  if (!seconds.encode_ef.empty()) row.encode_ef = rate(seconds.encode_ef, 2 * bytes / read + (body + bytes) / written);
  row.memcpy_gbps = bytes / median_of(seconds.copy) / 1e9;
  row.read_gbps = read / 1e9;
  row.write_gbps = written / 1e9;
  return row;
}

}  // namespace tw
