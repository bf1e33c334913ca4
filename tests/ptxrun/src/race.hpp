// Order of accesses to shared memory. Every thread has a clock; a barrier or a __syncwarp orders what came before it
// in one thread before what comes after it in the others.
#pragma once
#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace ptxrun {

struct WarpClock {
  std::uint32_t epoch = 1;                // barriers of the block this warp has passed
  std::vector<std::uint32_t> seen_epoch;  // of each warp: accesses in epochs below are ordered before this warp
  std::uint32_t lane[32];                 // syncs of the warp a lane has passed
  std::uint8_t row[32];                   // of a lane in seen: lanes that synced with each other share one
  std::uint32_t seen[32][32];  // seen[row[i]][j]: accesses of lane j before this clock are ordered before lane i
  void reset(unsigned warps);
  void sync(std::uint32_t lanes);
};

struct Access {  // packed: who, when, how
  std::uint32_t epoch = 0, lane_clock = 0;
  std::uint16_t thread = 0, strong = 0;
  explicit operator bool() const { return epoch != 0; }
};

struct Cell {
  Access write, read, other_read;
};

struct Conflict {
  const char* kind;
  Access with;
};  // kind null: none

// Is the access before everything its thread's warp mates or other warps do now?
inline bool ordered(const Access& a, const Access& now, const WarpClock& clock) {
  unsigned warp = a.thread / 32, mine = now.thread / 32;
  if (warp != mine) return a.epoch < clock.seen_epoch[warp];
  return a.thread == now.thread || a.epoch < clock.epoch ||
         a.lane_clock < clock.seen[clock.row[now.thread % 32]][a.thread % 32];
}

class SharedShadow {
 public:
  void reset(std::uint64_t bytes);
  // One access of a thread. changed(): a write alters the bytes. Returns the first conflict.
  template <class Changed>
  Conflict access(std::uint32_t offset, std::uint32_t bytes, bool write, Changed changed, const Access& who,
                  const WarpClock& clock, bool* unwritten) {
    Conflict out{nullptr, {}};
    auto visit = [&](Cell& c) {
      Conflict f = write ? written(c, changed, who, clock) : read(c, who, clock, unwritten);
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
      if (!split_[word]) split(word);
      for (; at < stop; ++at) visit(bytes_[at]);
    }
    return out;
  }

 private:
  static bool clash(const Access& a, const Access& who, const WarpClock& clock) {
    return a && !(a.strong && who.strong) && !ordered(a, who, clock);
  }
  static Conflict read(Cell& c, const Access& who, const WarpClock& clock, bool* unwritten) {
    if (!c.read || c.read.thread == who.thread || ordered(c.read, who, clock))
      c.read = who;
    else
      c.other_read = who;
    *unwritten |= !c.write;
    return clash(c.write, who, clock) ? Conflict{"read after write", c.write} : Conflict{nullptr, {}};
  }
  template <class Changed>
  static Conflict written(Cell& c, Changed changed, const Access& who, const WarpClock& clock) {
    const Access before = std::exchange(c.write, who);
    if (clash(before, who, clock) && changed()) return {"write after write", before};
    if (clash(c.read, who, clock)) return {"write after read", c.read};
    if (clash(c.other_read, who, clock)) return {"write after read", c.other_read};
    return {nullptr, {}};
  }
  void split(std::uint32_t word);
  std::vector<Cell> words_;  // by word, valid for all 4 bytes unless split
  std::vector<Cell> bytes_;  // by byte, of split words; allocated at the first split
  std::vector<std::uint8_t> split_;
};

}  // namespace ptxrun
