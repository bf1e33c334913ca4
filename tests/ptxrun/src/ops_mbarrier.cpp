// mbarrier objects and bulk copies. The 8 bytes of an object hold the state in a layout of our own.
#include "tests/ptxrun/src/ops.hpp"

namespace ptxrun {
namespace {

struct State {  // counts are of what is still missing in this phase
  std::uint32_t pending : 20, expected_low : 12, expected_high : 8, phase : 1;
  std::int32_t bytes : 23;
  std::uint32_t expected() const { return expected_high << 12 | expected_low; }
};
static_assert(sizeof(State) == 8);

Inst object_access(const Inst& in) {  // how the object itself is touched
  Inst a = in;
  a.size = 8;
  a.vec = 1;
  a.flags = std::uint8_t((in.flags & kShortAddress) | kWrite | kAtomic | kStrong);
  return a;
}
State* object(Warp& w, const Inst& in, int lane) {
  std::uint8_t* ptr[kLanes];
  resolve(w, object_access(in), 1u << lane, ptr);
  return reinterpret_cast<State*>(ptr[lane]);
}
void settle(Block& b, State& s) {
  if (s.pending || s.bytes) return;
  s.phase ^= 1;
  s.pending = s.expected();
  b.idle_reads = 0;
}

// Who waits for the object sees what came before the arrivals. The order is kept per object, over all phases.
void publish(Warp& w, const State* s) {
  auto& seen = w.block->published[reinterpret_cast<const std::uint8_t*>(s) - w.block->shared.data()];
  seen.resize(w.block->warps.size());
  ++w.clock.epoch;
  for (std::size_t i = 0; i < seen.size(); ++i)
    seen[i] = std::max(seen[i], i == w.index ? w.clock.epoch : w.clock.seen_epoch[i]);
}
void observe(Warp& w, const State* s) {
  auto& seen = w.block->published[reinterpret_cast<const std::uint8_t*>(s) - w.block->shared.data()];
  for (std::size_t i = 0; i < seen.size(); ++i)
    if (i != w.index) w.clock.seen_epoch[i] = std::max(w.clock.seen_epoch[i], seen[i]);
}

void init(Warp& w, const Inst& in, std::uint32_t m) {
  for (; m; m &= m - 1) {
    int i = lowest(m);
    std::uint32_t n = w.at<std::uint32_t>(in.src[1])[i];
    *object(w, in, i) = State{n & 0xfffff, n & 0xfff, n >> 12 & 0xff, 0, 0};
  }
}
// vec: 1 arrive, 2 with expect_tx, 3 only expect_tx, 4 complete_tx.
void arrive(Warp& w, const Inst& in, std::uint32_t m) {
  const State* published = nullptr;
  for (; m; m &= m - 1) {
    int i = lowest(m);
    State* s = object(w, in, i);
    if (s != published) publish(w, s);
    published = s;
    std::uint32_t n = in.src[1] == kNoRef ? 1 : w.at<std::uint32_t>(in.src[1])[i];
    if (in.dst[0] != kNoRef) w.at<std::uint64_t>(in.dst[0])[i] = s->phase;
    if (in.vec == 2 || in.vec == 3) s->bytes = s->bytes + std::int32_t(n);
    if (in.vec == 4) s->bytes = s->bytes - std::int32_t(n);
    std::uint32_t count = in.vec == 1 ? n : in.vec == 2 ? 1 : 0;
    if (count > s->pending) {
      finding(w, in, i, "mbarrier", "more arrivals than the object expects");
      count = s->pending;
    }
    s->pending = s->pending - count;
    settle(*w.block, *s);
  }
}
void wait(Warp& w, const Inst& in, std::uint32_t m) {  // vec 2: a parity; else the state that arrive returned
  std::uint32_t& p = *w.at<std::uint32_t>(in.dst[0]);
  for (std::uint32_t r = m; r; r &= r - 1) {
    int i = lowest(r);
    State* s = object(w, in, i);
    std::uint32_t phase =
        in.vec == 2 ? w.at<std::uint32_t>(in.src[1])[i] & 1 : std::uint32_t(w.at<std::uint64_t>(in.src[1])[i]) & 1;
    bool done = s->phase != phase;
    p = done ? p | (r & -r) : p & ~(r & -r);
    if (done)
      observe(w, s);
    else {
      w.yield = true;
      ++w.block->idle_reads;
    }
  }
}

void take_context(Decode& d) {
  d.take_any({"release", "acquire", "relaxed"});
  d.take_any({"cta", "cluster"});
  d.take_any({"shared", "shared::cta", "shared::cluster"});
  d.take("b64");
}
void decode_mbarrier(Decode& d) {
  std::string_view what = d.take_of({"init", "inval", "arrive", "test_wait", "try_wait", "expect_tx", "complete_tx"});
  bool with_bytes = what == "arrive" && d.take("expect_tx"), parity = d.take("parity");
  take_context(d);
  bool result = what == "test_wait" || what == "try_wait" || what == "arrive";
  std::size_t at = result && d.op(0).kind != Operand::Kind::memory ? 1 : 0;
  d.address(d.op(at), Space::shared);
  d.in.vec = with_bytes || parity ? 2 : what == "expect_tx" ? 3 : what == "complete_tx" ? 4 : 1;
  if (what == "inval")
    return finish(
        d, [](Warp&, const Inst&, std::uint32_t) {}, Class::sync);
  if (what == "test_wait" || what == "try_wait") {
    d.dst(0, Type::pred);
    d.src(at + 1, parity ? Type::u32 : Type::b64, 1);  // a time limit, if any, is ignored
    return finish(d, wait, Class::sync);
  }
  if (what == "arrive" && at) d.dst(0, Type::b64);
  if (d.op_count() > at + 1) d.src(at + 1, Type::u32, 1);
  finish(d, what == "init" ? init : arrive, Class::sync);
}

// ---- cp.async.bulk: done at once
void bulk(Warp& w, const Inst& in,
          std::uint32_t m) {  // src: [0] mbarrier, [1] bytes; dst: [0] to, [1] from; vec 2: to global
  for (; m; m &= m - 1) {
    int i = lowest(m);
    bool out = in.vec == 2;
    auto address = [&](std::uint32_t ref, bool narrow) {
      return narrow ? std::uint64_t(w.at<std::uint32_t>(ref)[i]) : w.at<std::uint64_t>(ref)[i];
    };
    std::uint64_t to = address(in.dst[0], in.width & 1), from = address(in.dst[1], in.width & 2);
    std::uint32_t bytes = w.at<std::uint32_t>(in.src[1])[i];
    std::uint8_t* s = resolve_range(w, in, i, out ? Space::shared : Space::global, from, bytes, false);
    std::uint8_t* d = resolve_range(w, in, i, out ? Space::global : Space::shared, to, bytes, true);
    if (s && d) std::memcpy(d, s, bytes);
    if (out) continue;
    State* state = object(w, in, i);
    publish(w, state);
    state->bytes = state->bytes - std::int32_t(bytes);
    settle(*w.block, *state);
  }
}

}  // namespace

void decode_bulk_copy(Decode& d) {  // behind cp.async.bulk
  d.drop_prefixed("L2::");
  bool out = d.take("bulk_group");
  d.drop_prefixed("mbarrier::complete_tx");
  Space first = d.mods.empty() ? Space::generic : d.mods[0] == "global" ? Space::global : Space::shared;
  if (d.mods.size() != 2 || (first == Space::global) != out) d.unsupported();
  d.mods.clear();
  d.address(d.op(0), first);
  auto plain = [&](std::uint32_t* slot, int bit) {
    if (d.in.imm) d.unsupported("address offset");
    *slot = d.in.src[0];
    if (d.in.flags & kShortAddress) d.in.width |= std::uint8_t(bit);
    d.in.flags = 0;
  };
  plain(&d.in.dst[0], 1);
  d.address(d.op(1), out ? Space::shared : Space::global);
  plain(&d.in.dst[1], 2);
  d.src(2, Type::u32, 1);
  if (!out) d.address(d.op(3), Space::shared);
  d.in.vec = out ? 2 : 1;
  d.in.size = 16;
  finish(d, bulk, Class::global_load);
}

void add_mbarrier_decoders(DecoderTable& t) { t["mbarrier"] = decode_mbarrier; }

}  // namespace ptxrun
