#include "tests/ptxrun/src/race.hpp"
#include <algorithm>
#include <bit>
#include <cstring>

namespace ptxrun {

void WarpClock::reset(unsigned warps) {
  epoch = 1;
  seen_epoch.assign(warps, 0);
  std::fill(std::begin(lane), std::end(lane), 1u);
  std::fill(std::begin(row), std::end(row), std::uint8_t(0));
  std::fill(std::begin(seen[0]), std::end(seen[0]), 0u);
}

void WarpClock::sync(std::uint32_t lanes) {
  std::uint32_t theirs = 0, others = 0;  // rows
  for (int i = 0; i < 32; ++i) (lanes >> i & 1 ? theirs : others) |= 1u << row[i];
  std::uint32_t joined[32] = {};
  for (; theirs; theirs &= theirs - 1) {
    const std::uint32_t* known = seen[std::countr_zero(theirs)];
    for (int j = 0; j < 32; ++j) joined[j] = std::max(joined[j], known[j]);
  }
  const int unused = std::countr_one(others);
  for (std::uint32_t m = lanes; m; m &= m - 1) {
    const int j = std::countr_zero(m);
    joined[j] = ++lane[j];
    row[j] = std::uint8_t(unused);
  }
  std::memcpy(seen[unused], joined, sizeof joined);
}

void SharedShadow::reset(std::uint64_t bytes) {
  std::size_t words = (bytes + 3) / 4;
  words_.assign(words, Cell{});
  split_.assign(words, 0);
}

void SharedShadow::split(std::uint32_t word) {
  if (bytes_.size() < words_.size() * 4) bytes_.resize(words_.size() * 4);
  std::fill_n(bytes_.begin() + word * 4, 4, words_[word]);
  split_[word] = 1;
}

}  // namespace ptxrun
