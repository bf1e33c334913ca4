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

namespace {
// Is the access before everything its thread's warp mates or other warps do now?
inline bool ordered(const Access& a, const Access& now, const WarpClock& clock) {
  unsigned warp = a.thread / 32, mine = now.thread / 32;
  if (warp != mine) return a.epoch < clock.seen_epoch[warp];
  return a.thread == now.thread || a.epoch < clock.epoch ||
         a.lane_clock < clock.seen[clock.row[now.thread % 32]][a.thread % 32];
}
}  // namespace

Conflict SharedShadow::touch(Cell& c, bool write, bool changed, const Access& who, const WarpClock& clock,
                             bool* unwritten) {
  auto clash = [&](const Access& a) { return a && !(a.strong && who.strong) && !ordered(a, who, clock); };
  Conflict out{nullptr, {}};
  if (!write) {
    if (!c.write)
      *unwritten = true;
    else if (clash(c.write))
      out = {"read after write", c.write};
    if (!c.read || c.read.thread == who.thread || ordered(c.read, who, clock))
      c.read = who;
    else
      c.other_read = who;
    return out;
  }
  if (clash(c.write) && changed)
    out = {"write after write", c.write};
  else if (clash(c.read))
    out = {"write after read", c.read};
  else if (clash(c.other_read))
    out = {"write after read", c.other_read};
  c.write = who;
  return out;
}

Conflict SharedShadow::access(std::uint32_t offset, std::uint32_t bytes, bool write, bool changed, const Access& who,
                              const WarpClock& clock, bool* unwritten) {
  Conflict out{nullptr, {}};
  auto visit = [&](Cell& c) {
    Conflict f = touch(c, write, changed, who, clock, unwritten);
    if (f.kind && !out.kind) out = f;
  };
  for (std::uint32_t at = offset, end = offset + bytes; at < end;) {
    std::uint32_t word = at / 4, stop = std::min(end, word * 4 + 4);
    bool whole = stop - at == 4;
    if (whole && !split_[word]) {
      visit(words_[word]);
      at = stop;
      continue;
    }
    if (!split_[word]) {
      if (bytes_.size() < words_.size() * 4) bytes_.resize(words_.size() * 4);
      std::fill_n(bytes_.begin() + word * 4, 4, words_[word]);
      split_[word] = 1;
    }
    for (; at < stop; ++at) visit(bytes_[at]);
  }
  return out;
}

}  // namespace ptxrun
