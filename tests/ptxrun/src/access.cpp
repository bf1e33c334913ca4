// Memory accesses: where each lane's bytes are, whether it may touch them, and what the access costs.
#include <algorithm>
#include <cstdio>
#include <utility>
#include "tests/ptxrun/src/exec.hpp"

namespace ptxrun {
namespace {

std::string hex(std::uint64_t v) {
  char s[32];
  std::snprintf(s, sizeof s, "0x%llx", static_cast<unsigned long long>(v));
  return s;
}

const char* verb(const Inst& in) {
  return in.flags & kAtomic ? "atomic on " : in.flags & kWrite ? "write of " : "read of ";
}

struct Lanes {  // one access of a warp
  Warp& w;
  const Inst& in;
  std::uint32_t bytes;
  std::uint64_t addr[kLanes];
  std::uint8_t** ptr;

  void bad(int lane, const char* kind, const std::string& detail) {
    finding(w, in, lane, kind, detail);
    ptr[lane] = w.launch->scratch;
  }
  bool aligned(int lane) { return !(addr[lane] & (bytes - 1)) || misaligned(lane); }
  [[gnu::noinline]] bool misaligned(int lane) {
    bad(lane, "misaligned access", verb(in) + std::to_string(bytes) + " bytes at " + hex(addr[lane]));
    return false;
  }
};

// Distinct 32-byte sectors of the lanes: counted, and marked for the compulsory traffic of the launch.
struct SectorCount {
  std::uint64_t last = ~0ull, ids[kLanes];
  unsigned n = 0;
  bool sorted = true;
  void add(std::uint64_t id) {
    if (id == last) return;
    if (n && id < last) sorted = false;
    ids[n++] = last = id;
  }
  unsigned distinct() {
    if (sorted) return n;
    std::sort(ids, ids + n);
    return unsigned(std::unique(ids, ids + n) - ids);
  }
};

const char* kind_of_miss(const Allocation* found, int device) {
  if (!found) return "global access out of bounds";
  if (found->freed) return "use after free";
  return found->serves(device) ? "global access out of bounds" : "memory of another device";
}

void global_miss(Lanes& a, int lane) {
  std::uint64_t at = a.addr[lane];
  Allocation* o = memory().find(at);
  std::string what = verb(a.in) + std::to_string(a.bytes) + " bytes at " + hex(at);
  a.bad(lane, kind_of_miss(o, a.w.launch->device), what + ", " + memory().describe(at));
}

// Calls f(offset, word of 01 bytes) for each word of an access: words of a size that the compiler knows.
template <class F>
void in_steps(std::uint32_t bytes, F f) {
  switch (bytes) {
    case 1:
      return f(0, std::uint8_t(0x01));
    case 2:
      return f(0, std::uint16_t(0x0101));
    case 4:
      return f(0, 0x01010101u);
    default:
      for (std::uint32_t at = 0; at < bytes; at += 8) f(at, std::uint64_t{0x0101010101010101});
  }
}

void note_written(Lanes& a, Allocation* o, int lane) {
  std::uint8_t* marks = o->written.data() + (a.addr[lane] - o->begin);
  const bool writes = a.in.flags & kWrite;
  bool written = true;
  in_steps(a.bytes, [&](std::uint32_t at, auto ones) {
    if (writes) {
      std::memcpy(marks + at, &ones, sizeof ones);
      return;
    }
    decltype(ones) here;
    std::memcpy(&here, marks + at, sizeof here);
    written &= here == ones;
  });
  if (!written)
    finding(a.w, a.in, lane, "read of unwritten memory",
            std::to_string(a.bytes) + " bytes, " + memory().describe(a.addr[lane]));
}

void touch_global(Lanes& a, std::uint32_t m) {
  DeviceMemory& mem = memory();
  Allocation* o = mem.by_index(a.in.hint);
  Launch& l = *a.w.launch;
  SectorCount sectors;
  Counters::Traffic constants;  // not counted: constant memory has a cache of its own
  Counters::Traffic& t = a.in.space == Space::constant ? constants
                         : a.in.flags & kAtomic        ? l.counters->atomics
                         : a.in.flags & kWrite         ? l.counters->store
                                                       : l.counters->load;
  for (std::uint32_t r = m; r; r &= r - 1) {
    int lane = lowest(r);
    std::uint64_t at = a.addr[lane];
    if (!a.aligned(lane)) continue;
    if (!o->contains(at, a.bytes) || !o->serves(l.device)) {
      Allocation* found = mem.find(at);
      if (!found || !found->contains(at, a.bytes) || !found->serves(l.device)) {
        global_miss(a, lane);
        continue;
      }
      o = found;
      a.in.hint = mem.index_of(o);
    }
    std::uint64_t off = at - o->begin;
    a.ptr[lane] = o->data + off;
    std::uint64_t sector = at / 32;
    if (sector != sectors.last) {
      sectors.add(sector);
      if (o->marks.empty()) o->marks.resize(o->size / 32 + 2);
      SectorMark& mark = o->marks[sector - o->begin / 32];
      std::uint32_t& seen = a.in.flags & kWrite ? mark.written : mark.read;
      if (seen != l.id) {
        seen = l.id;
        ++t.distinct;
      }
    }
    if (!o->written.empty()) note_written(a, o, lane);
  }
  unsigned n = unsigned(std::popcount(m));
  t.requests += 1;
  t.bytes += std::uint64_t(n) * a.bytes;
  t.sectors += sectors.distinct();
  t.by_width[std::countr_zero(a.bytes)] += n;
}

// Whether the lanes of a phase want all one address, or banks of their own.
bool in_one_wavefront(const Lanes& a, std::uint32_t phase, unsigned words) {
  const std::uint64_t first = a.addr[lowest(phase)];
  std::uint32_t banks = 0;
  bool same = true;
  for (std::uint32_t r = phase; r; r &= r - 1) {
    const std::uint64_t at = a.addr[lowest(r)];
    same &= at == first;
    banks |= ((1u << words) - 1) << (at / 4 % kLanes);
  }
  return same || unsigned(std::popcount(banks)) == unsigned(std::popcount(phase)) * words;
}

// Wavefronts beyond the least number: lanes of a phase that want different words of one bank.
unsigned extra_wavefronts(const Lanes& a, std::uint32_t m) {
  unsigned per_phase = a.bytes <= 4 ? 32 : a.bytes == 8 ? 16 : 8, words = std::max(1u, a.bytes / 4), extra = 0;
  for (unsigned first = 0; first < kLanes; first += per_phase) {
    std::uint32_t phase = m & std::uint32_t(((1ull << per_phase) - 1) << first);
    if (!phase || in_one_wavefront(a, phase, words)) continue;
    std::uint32_t in_bank[kLanes][kLanes];
    std::uint8_t used[kLanes] = {};
    unsigned most = 1;
    for (; phase; phase &= phase - 1) {
      std::uint32_t word = std::uint32_t(a.addr[lowest(phase)] / 4);
      for (unsigned k = 0; k < words; ++k, ++word) {
        std::uint32_t bank = word % kLanes, n = used[bank];
        if (std::find(in_bank[bank], in_bank[bank] + n, word) != in_bank[bank] + n) continue;
        in_bank[bank][used[bank]++] = word;
        most = std::max(most, n + 1);
      }
    }
    extra += most - 1;
  }
  return extra;
}

void check_race(Lanes& a, int lane) {
  Warp& w = a.w;
  Access who;
  who.epoch = w.clock.epoch;
  who.lane_clock = w.clock.lane[lane];
  who.thread = std::uint16_t(w.index * kLanes + unsigned(lane));
  who.strong = (a.in.flags & (kStrong | kAtomic)) != 0;
  bool unwritten = false;
  auto changed = [&] {  // two threads that write the same value do no harm
    bool any = (a.in.flags & kAtomic) != 0;
    for (unsigned v = 0; v < a.in.vec && !any; ++v)
      any = std::memcmp(w.at<std::uint8_t>(a.in.dst[v]) + std::size_t(lane) * a.in.width, a.ptr[lane] + v * a.in.size,
                        a.in.size) != 0;
    return any;
  };
  Conflict c = w.block->shadow.access(std::uint32_t(a.addr[lane]), a.bytes, a.in.flags & kWrite, changed, who, w.clock,
                                      &unwritten);
  if (c.kind) {
    std::string other = thread_name(*(&w.block->warps[c.with.thread / 32]), c.with.thread % 32);
    finding(w, a.in, lane, "data race",
            std::string(c.kind) + " of shared byte " + hex(a.addr[lane]) + ", no barrier since the access of thread " +
                other);
  }
  if (unwritten && options().uninitialised_shared)
    finding(w, a.in, lane, "read of unwritten shared memory",
            std::to_string(a.bytes) + " bytes at " + hex(a.addr[lane]));
}

void touch_shared(Lanes& a, std::uint32_t m) {
  Block& b = *a.w.block;
  bool races = options().races && options().check != Check::off;
  for (std::uint32_t r = m; r; r &= r - 1) {
    int lane = lowest(r);
    if (!a.aligned(lane)) continue;
    if (a.addr[lane] + a.bytes > b.shared.size() || a.addr[lane] > b.shared.size()) {
      a.bad(lane, "shared access out of bounds",
            verb(a.in) + std::to_string(a.bytes) + " bytes at " + hex(a.addr[lane]) + ", the block has " +
                std::to_string(b.shared.size()));
      continue;
    }
    a.ptr[lane] = b.shared.data() + a.addr[lane];
    if (races) check_race(a, lane);
  }
  Counters& c = *a.w.launch->counters;
  c.shared_requests += 1;
  c.shared_extra_wavefronts += extra_wavefronts(a, m);
}

void touch_local(Lanes& a, std::uint32_t m) {
  Launch& l = *a.w.launch;
  for (; m; m &= m - 1) {
    int lane = lowest(m);
    std::uint64_t at = a.addr[lane];
    if (!a.aligned(lane)) continue;
    if (at + a.bytes > l.program->local_bytes || at > l.program->local_bytes) {
      a.bad(lane, "local access out of bounds", verb(a.in) + std::to_string(a.bytes) + " bytes at " + hex(at));
      continue;
    }
    a.ptr[lane] = a.w.local + std::size_t(lane) * l.local_stride + at;
    l.counters->local_bytes += a.bytes;
  }
}

void touch_param(Lanes& a, std::uint32_t m) {
  std::uint8_t* const data = a.w.launch->params.data();
  const std::uint64_t end = a.in.flags & kWrite ? 0 : a.w.launch->params.size();
  std::uint32_t outside = 0;
  for_lanes(m, [&](int i) {
    a.ptr[i] = data + a.addr[i];
    outside |= std::uint32_t(a.addr[i] + a.bytes > end) << i;
  });
  for (; outside; outside &= outside - 1) {
    const int lane = lowest(outside);
    a.bad(lane, "kernel parameter access out of bounds",
          verb(a.in) + std::to_string(a.bytes) + " bytes at " + hex(a.addr[lane]));
  }
}

void touch_generic(Lanes& a, std::uint32_t m) {
  std::uint32_t shared = 0, local = 0, param = 0, global = 0;
  for (std::uint32_t r = m; r; r &= r - 1) {
    int lane = lowest(r);
    std::uint64_t window = a.addr[lane] & kWindowMask;
    std::uint32_t bit = r & -r;
    if (window == kSharedWindow)
      shared |= bit;
    else if (window == kLocalWindow)
      local |= bit;
    else if (window == kParamWindow)
      param |= bit;
    else {
      global |= bit;
      continue;
    }
    a.addr[lane] &= ~kWindowMask;
  }
  if (global) touch_global(a, global);
  if (shared) touch_shared(a, shared);
  if (local) touch_local(a, local);
  if (param) touch_param(a, param);
}

}  // namespace

void resolve(Warp& w, const Inst& in, std::uint32_t m, std::uint8_t* ptr[kLanes]) {
  Lanes a{w, in, std::uint32_t(in.size) * in.vec, {}, ptr};
  if (in.flags & kShortAddress) {
    const std::uint32_t* base = w.at<std::uint32_t>(in.src[0]);
    for_lanes(m, [&](int i) { a.addr[i] = std::uint32_t(base[i] + std::uint32_t(in.imm)); });
  } else {
    const std::uint64_t* base = w.at<std::uint64_t>(in.src[0]);
    for_lanes(m, [&](int i) { a.addr[i] = base[i] + std::uint64_t(in.imm); });
  }
  switch (in.space) {
    case Space::constant:
    case Space::global:
      touch_global(a, m);
      break;
    case Space::shared:
      touch_shared(a, m);
      break;
    case Space::local:
      touch_local(a, m);
      break;
    case Space::param:
      touch_param(a, m);
      break;
    case Space::generic:
      touch_generic(a, m);
      break;
  }
  bool waits = (in.flags & kStrong) && !(in.flags & kWrite);
  if (waits)
    w.yield |= ++w.block->idle_reads % 32 == 0;  // perhaps it waits for another group
  else if (in.flags & kWrite && !(in.flags & kAtomic))
    w.block->idle_reads = 0;
}

std::uint8_t* resolve_range(Warp& w, const Inst& in, int lane, Space space, std::uint64_t address, std::uint32_t bytes,
                            bool write) {
  std::string what =
      std::string(write ? "bulk write of " : "bulk read of ") + std::to_string(bytes) + " bytes at " + hex(address);
  if (address % 16 || bytes % 16) {
    finding(w, in, lane, "misaligned access", what);
    return nullptr;
  }
  Block& b = *w.block;
  if (space == Space::shared) {
    if (address + bytes > b.shared.size()) {
      finding(w, in, lane, "shared access out of bounds", what);
      return nullptr;
    }
    Inst part = in;
    part.size = 16;
    part.vec = 1;
    part.flags = std::uint8_t(write ? kWrite | kAtomic : 0);  // atomic: the value is in no register
    std::uint8_t* ptr[kLanes];
    Lanes a{w, part, 16, {}, ptr};
    if (options().races)
      for (a.addr[lane] = address; a.addr[lane] < address + bytes; a.addr[lane] += 16) check_race(a, lane);
    return b.shared.data() + address;
  }
  Allocation* o = memory().find(address);
  if (!o || !o->contains(address, bytes) || !o->serves(w.launch->device)) {
    finding(w, in, lane, kind_of_miss(o, w.launch->device), what + ", " + memory().describe(address));
    return nullptr;
  }
  Counters::Traffic& t = write ? w.launch->counters->store : w.launch->counters->load;
  if (o->marks.empty()) o->marks.resize(o->size / 32 + 2);
  std::uint64_t first = address / 32, last = (address + bytes - 1) / 32;
  for (std::uint64_t s = first; bytes && s <= last; ++s) {
    SectorMark& mark = o->marks[s - o->begin / 32];
    std::uint32_t& seen = write ? mark.written : mark.read;
    t.sectors += 1;
    t.distinct += std::exchange(seen, w.launch->id) != w.launch->id;
  }
  t.requests += 1;
  t.bytes += bytes;
  t.by_width[4] += bytes / 16;
  if (write) memory().mark_written(address, bytes);
  return o->data + (address - o->begin);
}

}  // namespace ptxrun
