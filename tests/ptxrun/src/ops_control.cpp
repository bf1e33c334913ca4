// Branches, calls, barriers of the block, fences.
#include "tests/ptxrun/src/builtins.hpp"
#include "tests/ptxrun/src/ops.hpp"

namespace ptxrun {

void decode_warp_barrier(Decode& d);

namespace {

// Some lanes of the group go elsewhere.
void divert(Warp& w, std::uint32_t lanes, std::uint32_t pc) {
  for (std::uint32_t m = lanes; m; m &= m - 1) w.lane_pc[lowest(m)] = pc;
  w.active &= ~lanes;
  w.switch_pc = 0;
}
void go(Warp& w, std::uint32_t m, std::uint32_t pc) {
  if (m == w.active) {
    w.pc = pc;
    return;
  }
  ++w.launch->counters->divergent_branches;
  divert(w, m, pc);
}

void branch(Warp& w, const Inst& in, std::uint32_t m) { go(w, m, std::uint32_t(in.imm)); }
void decode_bra(Decode& d) {
  d.take("uni");
  d.b.branch_to(d.op(0).name, nullptr);
  finish(d, branch, Class::control);
}

void branch_indexed(Warp& w, const Inst& in, std::uint32_t m) {
  const auto& table = w.launch->program->branch_tables[std::size_t(in.imm)];
  const std::uint32_t* index = w.at<std::uint32_t>(in.src[0]);
  std::uint32_t first = index[lowest(m)], same = 0;
  for (std::uint32_t r = m; r; r &= r - 1) same |= std::uint32_t(index[lowest(r)] == first) << lowest(r);
  if (same == m) return go(w, m, table.at(first));
  ++w.launch->counters->divergent_branches;
  for (std::uint32_t r = m; r; r &= r - 1) divert(w, r & -r, table.at(index[lowest(r)]));
}
void decode_brx(Decode& d) {
  d.take("uni");
  if (!d.take("idx")) d.unsupported();
  d.src(0, Type::u32, 0);
  d.in.imm = d.b.branch_table(d.op(1).name);
  finish(d, branch_indexed, Class::control);
}

// ---- calls: frames are fixed for each function, so a call copies the parameters lane by lane
void copy_frames(Warp& w, std::uint32_t m, const std::vector<CopyRange>& ranges) {
  for (; m; m &= m - 1) {
    std::uint8_t* frame = w.local + std::size_t(lowest(m)) * w.launch->local_stride;
    for (const CopyRange& r : ranges) std::memcpy(frame + r.to, frame + r.from, r.bytes);
  }
}
void enter(Warp& w, const Inst& in, std::uint32_t m, std::uint32_t target, const std::vector<CopyRange>& args) {
  for (std::uint32_t r = m; r; r &= r - 1) {
    int i = lowest(r);
    if (w.depth[i] == kMaxDepth)
      throw LaunchFailure(
          700, "calls nested too deep in kernel " + w.launch->program->display + ", " + w.launch->program->where(in));
    w.stack[i][w.depth[i]++] = std::uint32_t(&in - w.launch->program->code.data());
  }
  copy_frames(w, m, args);
  if (m == w.active)
    w.pc = target;
  else
    divert(w, m, target);
}
void call(Warp& w, const Inst& in, std::uint32_t m) {
  const CallSite& site = w.launch->program->calls[std::size_t(in.imm)];
  enter(w, in, m, site.target, site.in);
}
void call_indirect(Warp& w, const Inst& in, std::uint32_t m) {
  const CallSite& site = w.launch->program->calls[std::size_t(in.imm)];
  std::uint64_t target = w.at<std::uint64_t>(in.src[0])[lowest(m)];
  std::uint32_t same = 0;
  for (std::uint32_t r = m; r; r &= r - 1)
    same |= std::uint32_t(w.at<std::uint64_t>(in.src[0])[lowest(r)] == target) << lowest(r);
  if (same != m) divert(w, m & ~same, w.pc - 1);  // they come back here for their own targets
  auto f = w.launch->program->layouts.find(std::uint32_t(target & ~kWindowMask));
  if ((target & kWindowMask) != kCodeWindow || f == w.launch->program->layouts.end() ||
      f->second.params.size() != site.args.size()) {
    finding(w, in, lowest(m), "bad function pointer", "no function of this kernel");
    throw LaunchFailure(700, "call through a bad function pointer in kernel " + w.launch->program->display);
  }
  std::vector<CopyRange> args = site.in;
  for (std::size_t i = 0; i < args.size(); ++i) args[i].to = f->second.params[i];
  enter(w, in, same, f->first, args);
}
void call_builtin(Warp& w, const Inst& in, std::uint32_t m) {
  const CallSite& site = w.launch->program->calls[std::size_t(in.imm)];
  for (std::uint32_t r = m; r; r &= r - 1) run_builtin(w, in, lowest(r), site);
}

void ret(Warp& w, const Inst&, std::uint32_t m) {
  const Program& p = *w.launch->program;
  std::uint32_t ended = 0;
  for (std::uint32_t r = m; r; r &= r - 1)
    if (!w.depth[lowest(r)]) ended |= r & -r;
  if (ended) w.exit_lanes(ended);
  m &= ~ended;
  if (!m) return;
  bool together = m == w.active;
  std::uint32_t common = w.stack[lowest(m)][w.depth[lowest(m)] - 1];
  for (std::uint32_t r = m; r; r &= r - 1) {
    int i = lowest(r);
    std::uint32_t from = w.stack[i][--w.depth[i]];
    const CallSite& site = p.calls[std::size_t(p.code[from].imm)];
    if (p.code[from].fn == call || site.out.empty())
      copy_frames(w, r & -r, site.out);
    else {  // of an indirect call: where the function keeps its result is known only now
      std::vector<CopyRange> out = site.out;
      std::uint64_t f = w.at<std::uint64_t>(p.code[from].src[0])[i] & ~kWindowMask;
      for (std::size_t k = 0; k < out.size(); ++k) out[k].from = p.layouts.at(std::uint32_t(f)).returns[k];
      copy_frames(w, r & -r, out);
    }
    w.lane_pc[i] = from + 1;
    together &= from == common;
  }
  if (together)
    w.pc = common + 1;
  else {
    w.active &= ~m;
    w.switch_pc = 0;
  }
}
void decode_ret(Decode& d) {
  d.take("uni");
  finish(d, ret, Class::control);
}

std::uint32_t frame_of(Decode& d, const Operand& o, std::uint32_t* bytes) {
  const Symbol& s = d.b.lookup(o.name);
  if (s.kind != Symbol::Kind::frame) d.unsupported("argument " + std::string(o.name));
  *bytes = std::uint32_t(s.size);
  return std::uint32_t(s.value);
}

void decode_call(Decode& d) {
  d.take("uni");
  CallSite site;
  std::size_t at = 0;
  const Operand* results = d.op(0).kind == Operand::Kind::list ? &d.op(at++) : nullptr;
  const Operand& callee = d.op(at++);
  const Operand* args = at < d.op_count() && d.op(at).kind == Operand::Kind::list ? &d.op(at) : nullptr;
  const Function* f = d.b.find_function(callee.name);
  const FunctionLayout* layout = f && f->body ? &d.b.layout(f->name) : nullptr;
  auto add = [&](const Operand* list, bool in) {
    for (std::size_t i = 0; list && i < list->items.size(); ++i) {
      std::uint32_t bytes, slot = frame_of(d, list->items[i], &bytes);
      (in ? site.args : site.results).push_back(slot);
      std::uint32_t other = layout ? (in ? layout->params : layout->returns).at(i) : 0;
      in ? site.in.push_back({slot, other, bytes}) : site.out.push_back({other, slot, bytes});
    }
  };
  add(args, true);
  add(results, false);
  Handler h = call;
  if (layout)
    site.target = layout->pc;
  else if (f) {
    site.builtin = f->name;
    if (!is_builtin(f->name)) d.unsupported("function " + f->name + " is not in the PTX");
    h = call_builtin;
  } else {
    d.in.src[0] = d.source(callee, Type::b64);
    h = call_indirect;
  }
  d.in.imm = std::int64_t(d.b.program.calls.size());
  d.b.program.calls.push_back(std::move(site));
  finish(d, h, Class::control);
}

// ---- barriers of the block
enum Reduce { kNone, kPopc, kAnd, kOr };
void barrier(Warp& w, const Inst& in, std::uint32_t m) {
  std::uint32_t id = w.at<std::uint32_t>(in.src[0])[lowest(m)];
  if (id >= 16)
    throw LaunchFailure(700, "barrier number " + std::to_string(id) + " in kernel " + w.launch->program->display);
  Barrier& b = w.block->barriers[id];
  b.waiting = true;
  if (in.src[1] != kNoRef) b.expected = w.at<std::uint32_t>(in.src[1])[lowest(m)];
  if (in.src[2] != kNoRef) {
    std::uint32_t p = *w.at<std::uint32_t>(in.src[2]);
    b.votes += std::uint32_t(std::popcount((in.vec & 2 ? ~p : p) & m));
    b.voters += std::uint32_t(std::popcount(m));
  }
  for (std::uint32_t r = m; r; r &= r - 1) w.barrier_id[lowest(r)] = id;
  w.park(m);
  w.at_barrier |= m;
}
void arrive(Warp& w, const Inst& in, std::uint32_t m) {
  Barrier& b = w.block->barriers[w.at<std::uint32_t>(in.src[0])[lowest(m)] & 15];
  b.waiting = true;
  b.expected = w.at<std::uint32_t>(in.src[1])[lowest(m)];
  b.arrivals += kLanes;
}
void decode_bar(Decode& d) {
  bool aligned = d.take("aligned") || d.base == "bar";
  d.take("cta");
  if (d.take("warp")) {
    d.take("sync");
    return decode_warp_barrier(d);
  }
  if (aligned) d.in.flags |= kAligned;
  if (d.take("red")) {
    Type t = d.take_type();
    d.in.imm = d.take("popc") ? kPopc : d.take("and") ? kAnd : d.take("or") ? kOr : kNone;
    d.dst(0, t);
    d.src(1, Type::u32, 0);
    std::size_t last = d.op_count() - 1;
    if (last == 3) d.src(2, Type::u32, 1);
    d.negation_handled = true;
    d.src(last, Type::pred, 2);
    d.in.vec = d.op(last).negated ? 2 : 0;
    return finish(d, barrier, Class::sync);
  }
  bool wait = d.take("sync");
  if (!wait && !d.take("arrive")) d.unsupported();
  d.src(0, Type::u32, 0);
  if (d.op_count() > 1) d.src(1, Type::u32, 1);
  if (!wait && d.op_count() < 2) d.unsupported();
  finish(d, wait ? barrier : arrive, Class::sync);
}

// ---- the rest
void nothing(Warp&, const Inst&, std::uint32_t) {}
void sleep_turn(Warp& w, const Inst&, std::uint32_t) { w.yield = true; }
void trap(Warp& w, const Inst& in, std::uint32_t m) {
  throw LaunchFailure(719, "trap in kernel " + w.launch->program->display + ", block " + block_name(*w.block) +
                               ", thread " + thread_name(w, lowest(m)) + ", " + w.launch->program->where(in));
}
void leave(Warp& w, const Inst&, std::uint32_t m) { w.exit_lanes(m); }
void unsupported(Warp& w, const Inst& in, std::uint32_t) {
  const Program& p = *w.launch->program;
  throw LaunchFailure(801, p.text[std::size_t(in.imm)] + " in kernel " + p.display + ", " + p.where(in));
}
template <Handler h, Class k>
void decode_bare(Decode& d) {
  d.mods.clear();
  finish(d, h, k);
}

}  // namespace

void write_reduction(Warp& w, const Inst& in, std::uint32_t lanes, const Barrier& b) {
  if (in.imm == kNone || in.dst[0] == kNoRef) return;
  if (in.imm == kPopc) {
    std::uint32_t* d = w.at<std::uint32_t>(in.dst[0]);
    for_lanes(lanes, [&](int i) { d[i] = b.votes; });
    return;
  }
  bool yes = in.imm == kAnd ? b.votes == b.voters : b.votes != 0;
  std::uint32_t& p = *w.at<std::uint32_t>(in.dst[0]);
  p = yes ? p | lanes : p & ~lanes;
}

void add_control_decoders(DecoderTable& t) {
  t["bra"] = decode_bra;
  t["brx"] = decode_brx;
  t["call"] = decode_call;
  t["ret"] = decode_ret;
  t["exit"] = decode_bare<leave, Class::control>;
  t["trap"] = decode_bare<trap, Class::control>;
  t["brkpt"] = t["trap"];
  t["bar"] = t["barrier"] = decode_bar;
  t["membar"] = t["fence"] = decode_bare<nothing, Class::sync>;
  t["nanosleep"] = decode_bare<sleep_turn, Class::special>;
  t["griddepcontrol"] = decode_bare<nothing, Class::control>;  // launches run one after another
  t["pmevent"] = decode_bare<nothing, Class::special>;
  t["@unsupported"] = decode_bare<unsupported, Class::control>;
}

}  // namespace ptxrun
