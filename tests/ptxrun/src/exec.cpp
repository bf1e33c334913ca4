// Scheduling. Lanes of a warp with the lowest pc run together until they meet the next ones; warps of a block take
// turns; blocks run one after another, in ascending order.
#include "tests/ptxrun/src/exec.hpp"
#include <algorithm>
#include <numeric>
#include <random>
#include <utility>
#include "tests/ptxrun/src/builtins.hpp"

namespace ptxrun {

bool Warp::regroup() {
  for_lanes(active, [this](int i) { lane_pc[i] = pc; });
  const std::uint32_t runnable = live & ~blocked;
  std::uint32_t at[kLanes], first = kNever, next = kNever, together = 0;
  for (int i = 0; i < kLanes; ++i) {  // without branches, as the compiler wants it for many lanes at once
    at[i] = runnable >> i & 1 ? lane_pc[i] : kNever;
    first = std::min(first, at[i]);
  }
  for (int i = 0; i < kLanes; ++i) {
    together |= std::uint32_t(at[i] == first) << i;
    next = std::min(next, at[i] == first ? kNever : at[i]);
  }
  pc = first;
  switch_pc = next;
  active = together & runnable;
  return active != 0;
}

// Lets the next higher group run for a turn, so that lanes that wait in a loop for other lanes do not starve them.
void Warp::rotate() {
  std::uint32_t before = pc;
  regroup();
  std::uint32_t next = kNever, others = live & ~blocked;
  for (std::uint32_t m = others; m; m &= m - 1) {
    std::uint32_t p = lane_pc[lowest(m)];
    if (p > before) next = std::min(next, p);
  }
  if (next == kNever) return;
  active = 0;
  for (std::uint32_t m = others; m; m &= m - 1)
    if (lane_pc[lowest(m)] == next) active |= m & -m;
  pc = next;
  switch_pc = kNever;
  rotated = true;
}

void Warp::park(std::uint32_t lanes) {  // they wait at the instruction just fetched
  for (std::uint32_t m = lanes; m; m &= m - 1) lane_pc[lowest(m)] = pc - 1;
  active &= ~lanes;
  blocked |= lanes;
  if (!active) switch_pc = 0;
}

void Warp::exit_lanes(std::uint32_t lanes) {
  active &= ~lanes;
  live &= ~lanes;
  if (at_barrier) left_while_waiting |= lanes;
  blocked &= at_barrier;  // lanes waiting for lanes of the warp look again
  switch_pc = 0;
  block->idle_reads = 0;
}

void Block::release(std::uint32_t id) {
  WarpClock joined;
  joined.seen_epoch.assign(warps.size(), 0);
  std::vector<Warp*> through;
  for (Warp& w : warps) {
    std::uint32_t lanes = 0;
    for (std::uint32_t m = w.at_barrier; m; m &= m - 1)
      if (w.barrier_id[lowest(m)] == id) lanes |= m & -m;
    if (!lanes) continue;
    for (std::uint32_t m = lanes; m; m &= m - 1) {
      const Inst& in = launch->program->code[w.lane_pc[lowest(m)]++];
      write_reduction(w, in, m & -m, barriers[id]);
    }
    w.at_barrier &= ~lanes;
    w.blocked &= ~lanes;
    w.left_while_waiting = 0;
    w.switch_pc = 0;
    joined.seen_epoch[w.index] = ++w.clock.epoch;
    through.push_back(&w);
  }
  for (Warp* w : through)
    for (std::size_t i = 0; i < warps.size(); ++i)
      if (i != w->index) joined.seen_epoch[i] = std::max(joined.seen_epoch[i], w->clock.seen_epoch[i]);
  for (Warp* w : through) w->clock.seen_epoch = joined.seen_epoch;
  barriers[id] = Barrier{};
  idle_reads = 0;
  ++launch->counters->barriers;
}

// Opens every barrier whose threads have all come. Called when a warp can not go on.
void Block::settle_barriers() {
  for (std::uint32_t id = 0; id < 16; ++id) {
    Barrier& b = barriers[id];
    if (!b.waiting) continue;
    std::uint32_t whole = b.arrivals, partial = 0;
    for (Warp& w : warps) {
      std::uint32_t lanes = 0;
      for (std::uint32_t m = w.at_barrier; m; m &= m - 1)
        if (w.barrier_id[lowest(m)] == id) lanes |= m & -m;
      if (lanes && lanes == w.live)
        whole += kLanes;
      else if (w.live)
        ++partial;
    }
    if (b.expected ? whole >= b.expected : partial == 0) release(id);
  }
}

namespace {

void check_divergence(Warp& w) {
  if (!w.at_barrier) return;
  int first = lowest(w.at_barrier);
  const Inst& in = w.launch->program->code[w.lane_pc[first]];
  if (!(in.flags & kAligned)) return;
  for (std::uint32_t m = w.at_barrier; m; m &= m - 1) {
    int lane = lowest(m);
    if (w.lane_pc[lane] == w.lane_pc[first]) continue;
    finding(w, in, lane, "barrier divergence",
            "threads of one warp wait at different barriers, the other at " +
                w.launch->program->where(w.launch->program->code[w.lane_pc[lane]]));
    return;
  }
  if (w.left_while_waiting) {
    std::uint32_t left = std::exchange(w.left_while_waiting, 0);
    finding(w, in, first, "barrier divergence",
            "thread " + thread_name(w, lowest(left)) + " of the same warp ended without reaching it");
  }
}

// Runs one warp for a turn. False: no lane of it can run.
bool run_warp(Warp& w, std::uint32_t turn) {
  Launch& l = *w.launch;
  const Inst* code = l.program->code.data();
  Issue* issues = l.program->issues.data();
  if ((!w.active || !w.switch_pc) && !w.regroup()) return false;
  w.yield = false;
  std::uint32_t left = turn;
  while (left && !w.yield) {
    --left;
    const Inst& in = code[w.pc];
    std::uint32_t m = w.active;
    if (in.guard != kNoRef) {
      std::uint32_t p = *w.at<std::uint32_t>(in.guard);
      m &= in.guard_negated ? ~p : p;
    }
    Issue& issue = issues[w.pc++];
    ++issue.warps;
    if (m) {
      issue.threads += std::popcount(m);
      in.fn(w, in, m);
    }
    if (w.pc >= w.switch_pc && !w.regroup()) break;
  }
  l.steps += turn - left;
  if (!w.active) return false;
  if (std::exchange(w.rotated, false))
    w.regroup();
  else if (w.switch_pc != kNever)
    w.rotate();
  return true;
}

std::string waiting_threads(Block& b) {
  std::string s;
  int listed = 0;
  for (Warp& w : b.warps) {
    std::map<std::uint32_t, std::uint32_t> groups;
    for (std::uint32_t m = w.live; m; m &= m - 1) groups[w.lane_pc[lowest(m)]] |= m & -m;
    for (auto [pc, lanes] : groups) {
      const Inst& in = b.launch->program->code[pc];
      if (++listed > 12) continue;
      s += "\n    warp " + std::to_string(w.index) + ", " + std::to_string(std::popcount(lanes)) + " threads from " +
           thread_name(w, lowest(lanes)) + ((w.blocked & lanes) ? " wait at " : " run at ") +
           b.launch->program->where(in);
    }
  }
  if (listed > 12) s += "\n    and " + std::to_string(listed - 12) + " more groups";
  return s;
}

[[noreturn]] void stuck(Block& b, const char* kind, int code) {
  ++b.launch->counters->findings;
  throw LaunchFailure(code, std::string(kind) + " in kernel " + b.launch->program->display + ", block " +
                                block_name(b) + ":" + waiting_threads(b));
}

std::uint32_t* special(Launch& l, unsigned warp, SpecialSlot s) {
  return reinterpret_cast<std::uint32_t*>(l.specials.data()) + (std::size_t(warp) * kSpecials + s) * kLanes;
}

void fill_specials(Launch& l, unsigned warps) {
  l.specials.assign(std::size_t(warps) * kSpecials * kLanes * 4, 0);
  const std::pair<SpecialSlot, std::uint32_t> same[] = {{kNtidX, l.block.x},
                                                        {kNtidY, l.block.y},
                                                        {kNtidZ, l.block.z},
                                                        {kNctaidX, l.grid.x},
                                                        {kNctaidY, l.grid.y},
                                                        {kNctaidZ, l.grid.z},
                                                        {kNwarpid, warps},
                                                        {kWarpSize, kLanes},
                                                        {kNsmid, 132},
                                                        {kDynamicShared, l.dynamic_shared},
                                                        {kTotalShared, l.program->shared_bytes + l.dynamic_shared}};
  Dim at{0, 0, 0};
  for (unsigned w = 0; w < warps; ++w) {
    for (auto [slot, value] : same) std::fill_n(special(l, w, slot), kLanes, value);
    std::fill_n(special(l, w, kWarpid), kLanes, w);
    for (std::uint32_t i = 0; i < kLanes; ++i) {
      auto set = [&](SpecialSlot s, std::uint32_t v) { special(l, w, s)[i] = v; };
      set(kTidX, at.x);
      set(kTidY, at.y);
      set(kTidZ, at.z);
      if (++at.x == l.block.x) at.x = 0, ++at.y;
      if (at.y == l.block.y) at.y = 0, ++at.z;
      set(kLaneid, i);
      set(kMaskEq, 1u << i);
      set(kMaskLt, (1u << i) - 1);
      set(kMaskLe, (2u << i) - 1);
      set(kMaskGt, ~((2u << i) - 1));
      set(kMaskGe, ~((1u << i) - 1));
    }
  }
}

void start_block(Block& b, std::uint64_t index, std::uint64_t threads) {
  Launch& l = *b.launch;
  b.id = {std::uint32_t(index % l.grid.x), std::uint32_t(index / l.grid.x % l.grid.y),
          std::uint32_t(index / l.grid.x / l.grid.y)};
  std::fill(b.shared.begin(), b.shared.end(), std::uint8_t(0xff));
  if (options().races) b.shadow.reset(b.shared.size());
  b.idle_reads = 0;
  b.published.clear();
  std::fill(std::begin(b.barriers), std::end(b.barriers), Barrier{});
  for (Warp& w : b.warps) {
    std::uint32_t coordinates[3] = {b.id.x, b.id.y, b.id.z};
    for (int d = 0; d < 3; ++d) std::fill_n(special(l, w.index, SpecialSlot(kCtaidX + d)), kLanes, coordinates[d]);
    std::fill_n(special(l, w.index, kSmid), kLanes, std::uint32_t(index % 132));
    std::uint64_t rest = threads - std::uint64_t(w.index) * kLanes;
    w.live = rest >= kLanes ? kFull : (1u << rest) - 1;
    w.active = w.blocked = w.at_barrier = w.left_while_waiting = w.carry = 0;
    std::fill_n(w.lane_pc, kLanes, l.program->entry);
    w.rotated = false;
    std::fill_n(w.depth, kLanes, 0);
    w.clock.reset(unsigned(b.warps.size()));
  }
  l.steps = 0;
}

void run_block(Block& b, std::mt19937_64* shuffle) {
  Launch& l = *b.launch;
  const Options& o = options();
  std::vector<Warp*> order;
  for (Warp& w : b.warps) order.push_back(&w);
  for (;;) {
    if (shuffle) std::shuffle(order.begin(), order.end(), *shuffle);
    bool any_live = false, any_ran = false;
    for (Warp* w : order) {
      if (!w->live) continue;
      any_live = true;
      if (!(w->live & ~w->blocked)) continue;
      any_ran = true;
      if (!run_warp(*w, shuffle ? 20 + (*shuffle)() % 500 : 8192)) {
        check_divergence(*w);
        b.settle_barriers();
      }
    }
    if (!any_live) return;
    if (!any_ran) {
      b.settle_barriers();
      bool released = std::any_of(order.begin(), order.end(), [](Warp* w) { return w->live & ~w->blocked; });
      if (!released) stuck(b, "deadlock", 702);
    }
    if (b.idle_reads > o.spin_limit) stuck(b, "infinite wait (reads that see no change)", 702);
    if (l.steps > o.step_limit) stuck(b, "too many instructions in one block", 702);
  }
}

// Room for the registers of a launch, aligned; as the launch before left it.
std::uint8_t* registers_for(std::size_t bytes) {
  static std::vector<std::uint8_t>& room = *new std::vector<std::uint8_t>;
  if (room.size() < bytes + 64) room.assign(bytes + 64, 0);
  return reinterpret_cast<std::uint8_t*>((reinterpret_cast<std::uintptr_t>(room.data()) + 63) / 64 * 64);
}

}  // namespace

void count_instructions(Program& p, Counters& c) {
  for (std::size_t pc = 0; pc < p.issues.size(); ++pc) {
    std::size_t k = std::size_t(p.code[pc].klass);
    c.warp_insts[k] += p.issues[pc].warps;
    c.thread_insts[k] += p.issues[pc].threads;
  }
  p.issues.assign(p.code.size(), {});
}

void run_launch(Launch& l) {
  Program& p = *l.program;
  std::uint64_t threads = l.block.count();
  unsigned warps = unsigned((threads + kLanes - 1) / kLanes);
  l.local_stride = (p.local_bytes + 15) / 16 * 16;
  l.local.assign(std::size_t(warps) * kLanes * l.local_stride + 16, 0);
  p.issues.resize(p.code.size());
  fill_specials(l, warps);
  static Block& b = *new Block;  // as the launch before left it: what is not set below starts with a block
  b.launch = &l;
  b.shared.resize(p.shared_bytes + l.dynamic_shared);
  b.warps.resize(warps);
  std::uint8_t* registers = registers_for(std::size_t(warps) * p.register_bytes);
  for (unsigned i = 0; i < warps; ++i) {
    Warp& w = b.warps[i];
    w.base[0] = registers + std::size_t(i) * p.register_bytes;
    w.base[1] = p.constants.data();
    w.base[2] = reinterpret_cast<std::uint8_t*>(special(l, i, kTidX));
    w.index = i;
    w.block = &b;
    w.launch = &l;
    w.local = l.local.data() + std::size_t(i) * kLanes * l.local_stride;
  }
  std::mt19937_64 rng(options().seed);
  Counters& c = *l.counters;
  c.launches += 1;
  c.approximate |= p.approximate;
  c.contractible = p.contractible;
  for (std::uint64_t i = 0; i < l.grid.count(); ++i) {
    c.blocks += 1;
    c.threads += threads;
    start_block(b, i, threads);
    run_block(b, options().seed ? &rng : nullptr);
  }
}

}  // namespace ptxrun
