// Order of accesses to shared memory. Every thread has a clock; a barrier or a __syncwarp orders what came before it
// in one thread before what comes after it in the others.
#pragma once
#include <cstdint>
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

class SharedShadow {
 public:
  void reset(std::uint64_t bytes);
  // One access of a thread. changed: a write alters the bytes. Returns the first conflict.
  Conflict access(std::uint32_t offset, std::uint32_t bytes, bool write, bool changed, const Access& who,
                  const WarpClock& clock, bool* unwritten);

 private:
  Conflict touch(Cell& c, bool write, bool changed, const Access& who, const WarpClock& clock, bool* unwritten);
  std::vector<Cell> words_;  // by word, valid for all 4 bytes unless split
  std::vector<Cell> bytes_;  // by byte, of split words; allocated at the first split
  std::vector<std::uint8_t> split_;
};

}  // namespace ptxrun
