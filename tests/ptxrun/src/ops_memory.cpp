// Loads, stores, asynchronous copies, and hints that do nothing here.
#include "tests/ptxrun/src/ops.hpp"

namespace ptxrun {

void decode_bulk_copy(Decode& d);

namespace {

struct Wide128 {
  std::uint64_t lo, hi;
};

template <class T, class R>
void load(Warp& w, const Inst& in, std::uint32_t m) {
  std::uint8_t* ptr[kLanes];
  resolve(w, in, m, ptr);
  for (unsigned v = 0; v < in.vec; ++v) {
    R* d = w.at<R>(in.dst[v]);
    for (std::uint32_t r = m; r; r &= r - 1) {
      int i = lowest(r);
      T x;
      std::memcpy(&x, ptr[i] + v * sizeof(T), sizeof(T));
      if constexpr (std::is_same_v<T, Wide128>)
        d[i] = x;
      else if constexpr (std::is_signed_v<T>)
        d[i] = R(std::make_signed_t<R>(x));
      else
        d[i] = R(x);
    }
  }
}
template <class T, class R>
void store(Warp& w, const Inst& in, std::uint32_t m) {
  std::uint8_t* ptr[kLanes];
  resolve(w, in, m, ptr);
  for (unsigned v = 0; v < in.vec; ++v) {
    const R* s = w.at<R>(in.dst[v]);
    for (std::uint32_t r = m; r; r &= r - 1) {
      int i = lowest(r);
      std::memcpy(ptr[i] + v * sizeof(T), &s[i], sizeof(T));
    }
  }
}

template <class T>
Handler pick_register(bool st, unsigned bytes) {
  if constexpr (sizeof(T) == 16)
    return st ? Handler(store<T, T>) : Handler(load<T, T>);
  else {
    if (bytes == 8) return st ? Handler(store<T, std::uint64_t>) : Handler(load<T, std::uint64_t>);
    if constexpr (sizeof(T) <= 4)
      if (bytes == 4) return st ? Handler(store<T, std::uint32_t>) : Handler(load<T, std::uint32_t>);
    if constexpr (sizeof(T) <= 2)
      if (bytes == 2) return st ? Handler(store<T, std::uint16_t>) : Handler(load<T, std::uint16_t>);
    return nullptr;
  }
}
Handler pick_access(Type t, bool st, unsigned reg) {
  switch (size_of(t)) {
    case 1:
      return is_signed(t) ? pick_register<std::int8_t>(st, reg) : pick_register<std::uint8_t>(st, reg);
    case 2:
      return is_signed(t) ? pick_register<std::int16_t>(st, reg) : pick_register<std::uint16_t>(st, reg);
    case 4:
      return is_signed(t) ? pick_register<std::int32_t>(st, reg) : pick_register<std::uint32_t>(st, reg);
    case 8:
      return pick_register<std::uint64_t>(st, reg);
    case 16:
      return pick_register<Wide128>(st, reg);
    default:
      return nullptr;
  }
}

Space take_space(Decode& d) {
  std::string_view s = d.take_of(
      {"global", "shared", "shared::cta", "shared::cluster", "local", "param", "param::entry", "param::func", "const"});
  if (s == "global") return Space::global;
  if (s == "local") return Space::local;
  if (s == "const") return Space::constant;
  if (s.substr(0, 6) == "shared") return Space::shared;
  if (s.substr(0, 5) == "param") return Space::param;
  return Space::generic;
}

void take_ordering(Decode& d) {  // one thread runs at a time: every access is as strong as any
  if (d.take_any({"volatile", "relaxed", "acquire", "release", "mmio"})) d.in.flags |= kStrong;
  d.take("weak");
  d.take_any({"cta", "cluster", "gpu", "sys"});
  d.take_any({"ca", "cg", "cs", "lu", "cv", "wb", "wt"});
  d.take("nc");
  d.drop_prefixed("L1::");
  d.drop_prefixed("L2::");
  d.take("unified");
}

Class class_of(Space s, bool st) {
  switch (s) {
    case Space::shared:
      return Class::shared;
    case Space::local:
      return Class::local;
    case Space::param:
    case Space::constant:
      return Class::move;
    default:
      return st ? Class::global_store : Class::global_load;
  }
}

void decode_access(Decode& d) {
  bool st = d.base == "st";
  Type t = d.take_type();
  Space space = take_space(d);
  take_ordering(d);
  std::string_view vec = d.take_of({"v2", "v4"});
  d.in.vec = vec == "v2" ? 2 : vec == "v4" ? 4 : 1;
  const Operand& data = d.op(st ? 1 : 0);
  d.address(d.op(st ? 0 : 1), space);
  if (st) d.in.flags |= kWrite;
  unsigned reg = std::max(2u, size_of(t));
  for (unsigned v = 0; v < d.in.vec; ++v) {
    const Operand& o = d.in.vec > 1 ? data.items.at(v) : data;
    if (unsigned have = d.register_bytes(o)) reg = have;
  }
  if (reg < size_of(t)) d.unsupported("register width");
  Type as = reg == 2 ? Type::b16 : reg == 4 ? Type::b32 : reg == 8 ? Type::b64 : Type::b128;
  for (unsigned v = 0; v < d.in.vec; ++v) {
    const Operand& o = d.in.vec > 1 ? data.items.at(v) : data;
    d.in.dst[v] = st ? d.source(o, as) : d.target(o, as);
  }
  d.in.size = std::uint8_t(size_of(t));
  d.in.width = std::uint8_t(reg);
  finish(d, pick_access(t, st, reg), class_of(d.in.space, st));
}

// ---- cp.async: copied at once, which is the earliest a GPU may do it
void copy_async(Warp& w, const Inst& in, std::uint32_t m) {
  std::uint8_t *to[kLanes], *from[kLanes];
  Inst read = in;
  read.src[0] = in.src[1];
  read.imm = std::int64_t(std::int32_t(std::uint64_t(in.imm) >> 32));
  read.space = Space::global;
  read.flags = in.flags & ~(kWrite | kShortAddress);
  if (in.vec == 2) read.flags |= kShortAddress;
  read.vec = 1;
  read.hint = 0;
  Inst write = in;
  write.imm = std::int32_t(in.imm);
  write.vec = 1;
  write.flags |= kAtomic;  // the value is not in a register: takes part in races, as a change
  const std::uint32_t* size = in.src[2] == kNoRef ? nullptr : w.at<std::uint32_t>(in.src[2]);
  std::uint32_t reading = 0;
  for (std::uint32_t r = m; r; r &= r - 1)
    if (!size || size[lowest(r)]) reading |= r & -r;
  if (reading) resolve(w, read, reading, from);
  resolve(w, write, m, to);
  for (std::uint32_t r = m; r; r &= r - 1) {
    int i = lowest(r);
    std::uint32_t n = size ? std::min<std::uint32_t>(size[i], in.size) : in.size;
    if (n) std::memcpy(to[i], from[i], n);
    std::memset(to[i] + n, 0, in.size - n);
  }
}
void nothing(Warp&, const Inst&, std::uint32_t) {}

void decode_cp(Decode& d) {
  if (!d.take("async")) d.unsupported();
  bool bulk = d.take("bulk");
  if (d.take_any({"commit_group", "wait_group", "wait_all"})) {
    d.take("read");
    return finish(d, nothing, Class::sync);
  }
  if (bulk) return decode_bulk_copy(d);
  if (d.mods.empty() || d.mods[0] == "mbarrier") d.unsupported();
  d.take_any({"ca", "cg"});
  d.take_any({"shared", "shared::cta"});
  if (!d.take("global")) d.unsupported();
  d.drop_prefixed("L2::");
  std::uint64_t bytes = parse_number(d.op(2).name, false, 4);
  if (bytes != 4 && bytes != 8 && bytes != 16) d.unsupported();
  d.address(d.op(1), Space::global);
  std::uint32_t source = d.in.src[0];
  std::int64_t source_offset = d.in.imm;
  d.in.flags = 0;
  d.address(d.op(0), Space::shared);
  d.in.src[1] = source;
  d.in.imm = std::int64_t(std::uint64_t(std::uint32_t(source_offset)) << 32 | std::uint32_t(d.in.imm));
  if (d.op_count() > 3) {
    if (d.register_bytes(d.op(3)) == 8) d.unsupported("cache policy");
    d.in.src[2] = d.source(d.op(3), Type::u32);
  }
  d.in.flags |= kWrite;
  d.in.size = std::uint8_t(bytes);
  finish(d, copy_async, Class::global_load);
}

void decode_hint(Decode& d) {  // prefetch, discard, applypriority, createpolicy
  if (d.base == "createpolicy") {
    d.in.dst[0] = d.target(d.op(0), Type::b64);
    d.in.src[0] = d.b.constant(0, 8);
  }
  d.mods.clear();
  finish(d, nothing, Class::special);
}

}  // namespace

void add_memory_decoders(DecoderTable& t) {
  t["ld"] = t["st"] = t["ldu"] = decode_access;
  t["cp"] = decode_cp;
  t["prefetch"] = t["prefetchu"] = t["discard"] = t["applypriority"] = t["createpolicy"] = decode_hint;
}

}  // namespace ptxrun
