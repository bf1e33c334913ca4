// Instructions for which lanes of a warp wait for each other.
#include "tests/ptxrun/src/number.hpp"
#include "tests/ptxrun/src/ops.hpp"

namespace ptxrun {
namespace {

// Lanes that wait for the same members: at this instruction, or (bar.warp.sync) at any of its kind.
std::uint32_t waiting_for(Warp& w, const Inst& in, std::uint32_t members, bool any_place) {
  std::uint32_t found = 0;
  const Inst* code = w.launch->program->code.data();
  for (std::uint32_t r = w.blocked & ~w.at_barrier; r; r &= r - 1) {
    int i = lowest(r);
    const Inst& at = code[w.lane_pc[i]];
    if (w.wait_mask[i] == members && (&at == &in || (any_place && at.fn == in.fn))) found |= r & -r;
  }
  return found;
}

// Calls op for each group whose members are all here; the other lanes wait.
template <class Op>
void collective(Warp& w, const Inst& in, std::uint32_t m, std::uint32_t mask_ref, bool any_place, Op op) {
  const std::uint32_t* masks = w.at<std::uint32_t>(mask_ref);
  while (m) {
    std::uint32_t members = masks[lowest(m)], here = 0;
    for (std::uint32_t r = m; r; r &= r - 1)
      if (masks[lowest(r)] == members) here |= r & -r;
    m &= ~here;
    if (here & ~members) {
      finding(w, in, lowest(here & ~members), "not in the member mask",
              "the thread executes a warp instruction whose mask leaves it out");
      here &= members;
      if (!here) continue;
    }
    std::uint32_t waiting = w.blocked ? waiting_for(w, in, members, any_place) : 0, group = here | waiting;
    if (members & w.live & ~group) {
      for (std::uint32_t r = here; r; r &= r - 1) w.wait_mask[lowest(r)] = members;
      w.park(here);
      continue;
    }
    op(group);
    if (!waiting) continue;
    for (std::uint32_t r = waiting; r; r &= r - 1) ++w.lane_pc[lowest(r)];
    w.blocked &= ~waiting;
    w.switch_pc = 0;
  }
}

// ---- shfl
enum ShuffleMode { kUp, kDown, kBfly, kIdx };
template <ShuffleMode mode>
void shuffle(Warp& w, const Inst& in, std::uint32_t m) {
  collective(w, in, m, in.src[3], false, [&](std::uint32_t group) {
    std::uint32_t* d = w.at<std::uint32_t>(in.dst[0]);
    const std::uint32_t *a = w.at<std::uint32_t>(in.src[0]), *b = w.at<std::uint32_t>(in.src[1]),
                        *c = w.at<std::uint32_t>(in.src[2]);
    std::uint32_t out[kLanes], from[kLanes], inside = 0, missing = 0;
    for (int i = 0; i < kLanes; ++i) {
      int bval = b[i] & 31, cval = c[i] & 31, segment = c[i] >> 8 & 31;
      int last = (i & segment) | (cval & ~segment), first = i & segment;
      int j = mode == kUp ? i - bval : mode == kDown ? i + bval : mode == kBfly ? i ^ bval : first | (bval & ~segment);
      bool ok = mode == kUp ? j >= last : j <= last;
      from[i] = std::uint32_t(ok ? j : i);
      inside |= std::uint32_t(ok) << i;
      missing |= (~group >> from[i] & 1) << i;
    }
    for (int i = 0; i < kLanes; ++i) out[i] = a[from[i]];
    for (std::uint32_t r = missing & group; r; r &= r - 1) {
      int i = lowest(r);
      finding(w, in, i, "shuffle from an inactive lane",
              "lane " + std::to_string(i) + " reads lane " + std::to_string(from[i]) + ", which takes no part");
      out[i] = 0xdeadbeef;
    }
    for_lanes(group, [&](int i) { d[i] = out[i]; });
    if (in.dst[1] == kNoRef) return;
    std::uint32_t& p = *w.at<std::uint32_t>(in.dst[1]);
    p = (p & ~group) | (inside & group);
  });
}
void decode_shfl(Decode& d) {
  d.take_type();
  if (!d.take("sync")) d.unsupported("without .sync");
  std::string_view mode = d.take_of({"up", "down", "bfly", "idx"});
  d.dst(0, Type::b32);
  if (!d.op(0).pair.empty()) {
    Operand p;
    p.name = d.op(0).pair;
    d.in.dst[1] = d.target(p, Type::pred);
  }
  for (int k = 0; k < 4; ++k) d.src(std::size_t(k) + 1, Type::b32, k);
  finish(d,
         mode == "up"     ? shuffle<kUp>
         : mode == "down" ? shuffle<kDown>
         : mode == "bfly" ? shuffle<kBfly>
                          : shuffle<kIdx>,
         Class::sync);
}

// ---- vote
enum VoteMode { kAll, kAny, kUni, kBallot };
template <VoteMode mode>
void vote(Warp& w, const Inst& in, std::uint32_t m) {
  collective(w, in, m, in.src[1], false, [&](std::uint32_t group) {
    std::uint32_t p = *w.at<std::uint32_t>(in.src[0]);
    if (in.imm) p = ~p;
    p &= group;
    if (mode == kBallot) {
      std::uint32_t* d = w.at<std::uint32_t>(in.dst[0]);
      for_lanes(group, [=](int i) { d[i] = p; });
      return;
    }
    bool yes = mode == kAll ? p == group : mode == kAny ? p != 0 : p == group || p == 0;
    std::uint32_t& d = *w.at<std::uint32_t>(in.dst[0]);
    d = yes ? d | group : d & ~group;
  });
}
void decode_vote(Decode& d) {
  if (!d.take("sync")) d.unsupported("without .sync");
  Type t = d.take_type();
  std::string_view mode = d.take_of({"all", "any", "uni", "ballot"});
  d.dst(0, t);
  d.negation_handled = true;
  d.src(1, Type::pred, 0);
  d.in.imm = d.op(1).negated;
  d.src(2, Type::b32, 1);
  finish(d,
         mode == "all"   ? vote<kAll>
         : mode == "any" ? vote<kAny>
         : mode == "uni" ? vote<kUni>
                         : vote<kBallot>,
         Class::sync);
}

// ---- match
template <class T, bool kAllEqual>
void match(Warp& w, const Inst& in, std::uint32_t m) {
  collective(w, in, m, in.src[1], false, [&](std::uint32_t group) {
    std::uint32_t* d = w.at<std::uint32_t>(in.dst[0]);
    const T* a = w.at<T>(in.src[0]);
    std::uint32_t same_as[kLanes], equal = 0;
    for (std::uint32_t r = group; r; r &= r - 1) {
      int i = lowest(r);
      same_as[i] = 0;
      for (std::uint32_t q = group; q; q &= q - 1)
        if (a[lowest(q)] == a[i]) same_as[i] |= q & -q;
      equal |= std::uint32_t(same_as[i] == group) << i;
    }
    for (std::uint32_t r = group; r; r &= r - 1) {
      int i = lowest(r);
      d[i] = !kAllEqual ? same_as[i] : equal ? group : 0;
    }
    if (in.dst[1] == kNoRef) return;
    std::uint32_t& p = *w.at<std::uint32_t>(in.dst[1]);
    p = equal ? p | group : p & ~group;
  });
}
void decode_match(Decode& d) {
  if (!d.take("sync")) d.unsupported();
  Type t = d.take_type();
  bool all = d.take("all");
  if (!all && !d.take("any")) d.unsupported();
  d.dst(0, Type::b32);
  if (!d.op(0).pair.empty()) {
    Operand p;
    p.name = d.op(0).pair;
    d.in.dst[1] = d.target(p, Type::pred);
  }
  d.src(1, t, 0);
  d.src(2, Type::b32, 1);
  bool wide = size_of(t) == 8;
  finish(d,
         all ? (wide ? Handler(match<std::uint64_t, true>) : Handler(match<std::uint32_t, true>))
             : (wide ? Handler(match<std::uint64_t, false>) : Handler(match<std::uint32_t, false>)),
         Class::sync);
}

// ---- redux, activemask, elect, bar.warp.sync
struct RAdd {
  template <class T>
  static T go(T a, T b) {
    return T(std::uint32_t(a) + std::uint32_t(b));
  }
};
struct RMin {
  template <class T>
  static T go(T a, T b) {
    return std::min(a, b);
  }
};
struct RMax {
  template <class T>
  static T go(T a, T b) {
    return std::max(a, b);
  }
};
struct RAnd {
  template <class T>
  static T go(T a, T b) {
    return a & b;
  }
};
struct ROr {
  template <class T>
  static T go(T a, T b) {
    return a | b;
  }
};
struct RXor {
  template <class T>
  static T go(T a, T b) {
    return a ^ b;
  }
};
template <class T, class F>
void redux(Warp& w, const Inst& in, std::uint32_t m) {
  collective(w, in, m, in.src[1], false, [&](std::uint32_t group) {
    T* d = w.at<T>(in.dst[0]);
    const T* a = w.at<T>(in.src[0]);
    T v = a[lowest(group)];
    for (std::uint32_t r = group & (group - 1); r; r &= r - 1) v = F::go(v, a[lowest(r)]);
    for_lanes(group, [=](int i) { d[i] = v; });
  });
}
void decode_redux(Decode& d) {
  if (!d.take("sync")) d.unsupported();
  Type t = d.take_type();
  std::string_view op = d.take_of({"add", "min", "max", "and", "or", "xor"});
  if (is_float(t) || size_of(t) != 4) d.unsupported();
  operands(d, t, 1);
  d.src(2, Type::b32, 1);
  bool s = is_signed(t);
  using U = std::uint32_t;
  using S = std::int32_t;
  finish(d,
         op == "add"   ? Handler(redux<U, RAdd>)
         : op == "and" ? Handler(redux<U, RAnd>)
         : op == "or"  ? Handler(redux<U, ROr>)
         : op == "xor" ? Handler(redux<U, RXor>)
         : op == "min" ? (s ? Handler(redux<S, RMin>) : Handler(redux<U, RMin>))
         : s           ? Handler(redux<S, RMax>)
                       : Handler(redux<U, RMax>),
         Class::sync);
}

void active_mask(Warp& w, const Inst& in, std::uint32_t m) {
  std::uint32_t* d = w.at<std::uint32_t>(in.dst[0]);
  for_lanes(m, [=](int i) { d[i] = m; });
}
void decode_activemask(Decode& d) {
  d.take_type();
  d.dst(0, Type::b32);
  finish(d, active_mask, Class::special);
}

void elect(Warp& w, const Inst& in, std::uint32_t m) {
  collective(w, in, m, in.src[0], false, [&](std::uint32_t group) {
    std::uint32_t* d = w.at<std::uint32_t>(in.dst[0]);
    for_lanes(group, [=](int i) { d[i] = std::uint32_t(lowest(group)); });
    std::uint32_t& p = *w.at<std::uint32_t>(in.dst[1]);
    p = (p & ~group) | (group & -group);
  });
}
void decode_elect(Decode& d) {
  if (!d.take("sync")) d.unsupported();
  d.dst(0, Type::b32);
  Operand p;
  p.name = d.op(0).pair;
  d.in.dst[1] = d.target(p, Type::pred);
  d.src(1, Type::b32, 0);
  finish(d, elect, Class::sync);
}

void warp_sync(Warp& w, const Inst& in, std::uint32_t m) {
  collective(w, in, m, in.src[0], true, [&](std::uint32_t group) { w.clock.sync(group); });
}

}  // namespace

void decode_warp_barrier(Decode& d) {  // bar.warp.sync mask
  d.src(0, Type::b32, 0);
  finish(d, warp_sync, Class::sync);
}

void add_warp_decoders(DecoderTable& t) {
  t["shfl"] = decode_shfl;
  t["vote"] = decode_vote;
  t["match"] = decode_match;
  t["redux"] = decode_redux;
  t["activemask"] = decode_activemask;
  t["elect"] = decode_elect;
}

}  // namespace ptxrun
