// State of a running launch: blocks, warps, counters, findings.
#pragma once
#include <bit>
#include <cstring>
#include <map>
#include <set>
#include "tests/ptxrun/src/device_memory.hpp"
#include "tests/ptxrun/src/program.hpp"
#include "tests/ptxrun/src/race.hpp"

namespace ptxrun {

struct Dim {
  std::uint32_t x = 1, y = 1, z = 1;
  std::uint64_t count() const { return std::uint64_t(x) * y * z; }
};

enum class Check : std::uint8_t { off, report, fail };
struct Options {
  Check check = Check::fail;
  bool races = true, unwritten = false, uninitialised_shared = true;
  std::uint64_t seed = 0;                    // other than 0: warps run in a shuffled order, in short turns
  std::uint64_t spin_limit = 1u << 21;       // waiting reads of a block while nothing changes
  std::uint64_t step_limit = 4'000'000'000;  // warp instructions of a block
};
Options& options();

struct LaunchFailure : std::runtime_error {
  LaunchFailure(int code, const std::string& what) : std::runtime_error(what), code(code) {}
  int code;  // a cudaError
};

struct Counters {  // of one kernel, over its launches
  std::uint64_t launches = 0, blocks = 0, threads = 0, findings = 0;
  std::uint64_t thread_insts[std::size_t(Class::count)] = {}, warp_insts[std::size_t(Class::count)] = {};
  struct Traffic {
    std::uint64_t requests = 0, bytes = 0, sectors = 0, distinct = 0;
    std::uint64_t by_width[6] = {};  // thread accesses of 1, 2, 4, 8, 16, 32 bytes
  } load, store, atomics;
  std::uint64_t shared_requests = 0, shared_extra_wavefronts = 0, barriers = 0, divergent_branches = 0, local_bytes = 0;
  bool approximate = false;
  std::uint32_t contractible = 0;
};

struct Block;
struct Launch;
constexpr std::uint32_t kNever = ~0u;
constexpr int kMaxDepth = 24;

struct Warp {
  Warp() {}                              // the arrays are filled when a block starts
  std::uint8_t* base[3] = {};            // registers, constants, special registers
  std::uint32_t pc = 0, active = 0;      // the lanes that run together, and where
  std::uint32_t switch_pc = kNever;      // regroup when pc gets here: the lowest pc of other lanes that can run
  std::uint32_t live = 0, blocked = 0;   // lanes not exited; lanes that wait (for a barrier or for lanes of the warp)
  std::uint32_t at_barrier = 0;          // those of them that wait for the block
  std::uint32_t left_while_waiting = 0;  // lanes that exited while others of the warp waited at a barrier
  std::uint32_t carry = 0;
  std::uint32_t index = 0;
  bool yield = false;    // give the turn to others
  bool rotated = false;  // a group other than the lowest has this turn
  std::uint32_t lane_pc[kLanes], wait_mask[kLanes], barrier_id[kLanes], depth[kLanes], stack[kLanes][kMaxDepth];
  Block* block = nullptr;
  Launch* launch = nullptr;
  std::uint8_t* local = nullptr;
  WarpClock clock;
  template <class T>
  T* at(std::uint32_t ref) const {
    return reinterpret_cast<T*>(base[ref >> 30] + (ref & kRefOffset));
  }
  bool regroup();
  void rotate();
  void park(std::uint32_t lanes);
  void exit_lanes(std::uint32_t lanes);
};

struct Barrier {
  std::uint32_t expected = 0, arrivals = 0, votes = 0, voters = 0;
  bool waiting = false;
};

struct Block {
  Launch* launch = nullptr;
  Dim id;
  std::vector<std::uint8_t> shared;
  SharedShadow shadow;
  std::vector<Warp> warps;
  Barrier barriers[16];
  std::map<std::ptrdiff_t, std::vector<std::uint32_t>> published;  // by mbarrier: epochs its waiters have seen
  std::uint64_t idle_reads = 0;                                    // waiting reads since something changed
  void settle_barriers();
  void release(std::uint32_t id);
};

struct Launch {
  Program* program = nullptr;
  Dim grid, block;
  std::uint32_t dynamic_shared = 0, id = 0;
  int device = 0;
  std::vector<std::uint8_t> params;
  Counters* counters = nullptr;
  std::vector<std::uint8_t> local, specials;
  std::uint32_t local_stride = 0;
  std::uint8_t scratch[64];  // where accesses with a finding go when the launch goes on
  std::uint64_t steps = 0;
};

// Runs all blocks in ascending order, one launch at a time. Throws LaunchFailure.
void run_launch(Launch& launch);
// Adds what was issued so far to the counters, once.
void count_instructions(Program& program, Counters& counters);

// A finding: in a lane, at an instruction. Throws in mode fail; prints once per kernel, line and kind in mode report.
void finding(Warp& w, const Inst& in, int lane, const char* kind, const std::string& detail);
std::string thread_name(const Warp& w, int lane);
std::string block_name(const Block& b);

inline int lowest(std::uint32_t m) { return std::countr_zero(m); }

// Calls f for each lane of the mask; the full warp as a plain loop the compiler can vectorise.
template <class F>
inline void for_lanes(std::uint32_t m, F f) {
  if (m == kFull) {
#pragma GCC ivdep
    for (int i = 0; i < kLanes; ++i) f(i);
  } else {
    for (; m; m &= m - 1) f(lowest(m));
  }
}

// Memory access of the lanes: checks, counters, and where the bytes are.
void resolve(Warp& w, const Inst& in, std::uint32_t m, std::uint8_t* ptr[kLanes]);
// A bulk access of one thread, a multiple of 16 bytes; null when it may not.
std::uint8_t* resolve_range(Warp& w, const Inst& in, int lane, Space space, std::uint64_t address, std::uint32_t bytes,
                            bool write);

}  // namespace ptxrun
