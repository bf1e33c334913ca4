// mov in all its forms, cvta, isspacep.
#include <chrono>
#include "tests/ptxrun/src/ops.hpp"

namespace ptxrun {
namespace {

struct Same {
  template <class T>
  static T go(T a) {
    return a;
  }
};

void move_predicate(Warp& w, const Inst& in, std::uint32_t m) {
  std::uint32_t& d = *w.at<std::uint32_t>(in.dst[0]);
  d = (d & ~m) | (*w.at<std::uint32_t>(in.src[0]) & m);
}
struct Wide128 {
  std::uint64_t lo, hi;
};

template <class Part, class Whole>
void pack_lanes(Warp& w, const Inst& in, std::uint32_t m) {
  std::uint8_t* d = w.at<std::uint8_t>(in.dst[0]);
  for (unsigned k = 0; k < in.vec; ++k) {
    const Part* s = w.at<Part>(in.src[k]);
    for_lanes(m, [&](int i) { std::memcpy(d + i * sizeof(Whole) + k * sizeof(Part), &s[i], sizeof(Part)); });
  }
}
template <class Part, class Whole>
void unpack_lanes(Warp& w, const Inst& in, std::uint32_t m) {
  const std::uint8_t* s = w.at<std::uint8_t>(in.src[0]);
  for (unsigned k = 0; k < in.vec; ++k) {
    Part* d = w.at<Part>(in.dst[k]);
    for_lanes(m, [&](int i) { std::memcpy(&d[i], s + i * sizeof(Whole) + k * sizeof(Part), sizeof(Part)); });
  }
}

Type part_type(unsigned bytes) {
  return bytes == 1 ? Type::b8 : bytes == 2 ? Type::b16 : bytes == 4 ? Type::b32 : Type::b64;
}
template <class Part>
Handler pick_whole(bool pack, unsigned bytes) {
  if (bytes == 4) return pack ? Handler(pack_lanes<Part, std::uint32_t>) : Handler(unpack_lanes<Part, std::uint32_t>);
  if (bytes == 8) return pack ? Handler(pack_lanes<Part, std::uint64_t>) : Handler(unpack_lanes<Part, std::uint64_t>);
  if (bytes == 16) return pack ? Handler(pack_lanes<Part, Wide128>) : Handler(unpack_lanes<Part, Wide128>);
  return nullptr;
}
void decode_vector(Decode& d, Type t, bool pack) {
  const Operand& v = d.op(pack ? 1 : 0);
  d.in.vec = std::uint8_t(v.items.size());
  unsigned whole = size_of(t), part = whole / d.in.vec;
  if (v.items.size() > 4 || v.items.size() < 2 || part < 2) d.unsupported("vector");
  for (std::size_t k = 0; k < v.items.size(); ++k) {
    if (pack)
      d.in.src[k] = d.source(v.items[k], part_type(part));
    else
      d.in.dst[k] = d.target(v.items[k], part_type(part));
  }
  if (pack)
    d.dst(0, t);
  else
    d.src(1, t, 0);
  Handler h = part == 2   ? pick_whole<std::uint16_t>(pack, whole)
              : part == 4 ? pick_whole<std::uint32_t>(pack, whole)
                          : pick_whole<std::uint64_t>(pack, whole);
  finish(d, h, Class::move);
}

void clock32(Warp& w, const Inst& in, std::uint32_t m) {
  std::uint32_t now = std::uint32_t(w.launch->steps += 1);
  std::uint32_t* d = w.at<std::uint32_t>(in.dst[0]);
  for_lanes(m, [&](int i) { d[i] = now; });
}
void clock64(Warp& w, const Inst& in, std::uint32_t m) {
  std::uint64_t now = w.launch->steps += 1;
  std::uint64_t* d = w.at<std::uint64_t>(in.dst[0]);
  for_lanes(m, [&](int i) { d[i] = now; });
}
void global_timer(Warp& w, const Inst& in, std::uint32_t m) {
  std::uint64_t now = std::uint64_t(std::chrono::steady_clock::now().time_since_epoch().count());
  std::uint64_t* d = w.at<std::uint64_t>(in.dst[0]);
  for_lanes(m, [&](int i) { d[i] = now; });
}
bool decode_timer(Decode& d, Type t) {
  std::string_view name = d.op(1).name;
  Handler h = name == "%clock" && size_of(t) == 4 ? Handler(clock32)
              : name == "%clock64"                ? Handler(clock64)
              : name == "%globaltimer"            ? Handler(global_timer)
                                                  : nullptr;
  if (!h) return false;
  d.dst(0, t);
  finish(d, h, Class::special);
  return true;
}

void decode_mov(Decode& d) {
  Type t = d.take_type();
  if (d.op(1).kind == Operand::Kind::vector) return decode_vector(d, t, true);
  if (d.op(0).kind == Operand::Kind::vector) return decode_vector(d, t, false);
  if (decode_timer(d, t)) return;
  operands(d, t, 1);
  unsigned n = size_of(t);
  finish(d,
         t == Type::pred ? Handler(move_predicate)
         : n <= 2        ? Handler(unary<std::uint16_t, Same>)
         : n == 4        ? Handler(unary<std::uint32_t, Same>)
         : n == 8        ? Handler(unary<std::uint64_t, Same>)
                         : Handler(unary<Wide128, Same>),
         Class::move);
}

// ---- address spaces
std::uint64_t window_of(std::string_view space) {
  if (space.substr(0, 6) == "shared") return kSharedWindow;
  if (space == "local") return kLocalWindow;
  if (space.substr(0, 5) == "param") return kParamWindow;
  return 0;
}
std::string_view take_space(Decode& d) {
  return d.take_of({"global", "const", "shared", "shared::cta", "shared::cluster", "local", "param", "param::entry"});
}
void add_window(Warp& w, const Inst& in, std::uint32_t m) {
  std::uint64_t* d = w.at<std::uint64_t>(in.dst[0]);
  const std::uint64_t* a = w.at<std::uint64_t>(in.src[0]);
  std::uint64_t window = std::uint64_t(in.imm);
  for_lanes(m, [=](int i) { d[i] = a[i] + window; });
}
void drop_window(Warp& w, const Inst& in, std::uint32_t m) {
  std::uint64_t* d = w.at<std::uint64_t>(in.dst[0]);
  const std::uint64_t* a = w.at<std::uint64_t>(in.src[0]);
  std::uint64_t window = std::uint64_t(in.imm);
  for_lanes(m, [=](int i) { d[i] = a[i] - window; });
}
void decode_cvta(Decode& d) {
  Type t = d.take_type();
  if (t != Type::u64) d.unsupported();
  bool to = d.take("to");
  std::string_view space = take_space(d);
  if (space.empty()) d.unsupported();
  operands(d, t, 1);
  d.in.imm = std::int64_t(window_of(space));
  finish(d, to ? drop_window : add_window, Class::integer);
}
void in_window(Warp& w, const Inst& in, std::uint32_t m) {
  std::uint32_t& d = *w.at<std::uint32_t>(in.dst[0]);
  const std::uint64_t* a = w.at<std::uint64_t>(in.src[0]);
  std::uint32_t bits = 0;
  for (std::uint32_t r = m; r; r &= r - 1)
    bits |= std::uint32_t((a[lowest(r)] & kWindowMask) == std::uint64_t(in.imm)) << lowest(r);
  d = (d & ~m) | bits;
}
void decode_isspacep(Decode& d) {
  std::string_view space = take_space(d);
  if (space.empty() || space == "const") d.unsupported();
  d.dst(0, Type::pred);
  d.src(1, Type::u64, 0);
  d.in.imm = std::int64_t(window_of(space));
  finish(d, in_window, Class::integer);
}

}  // namespace

void add_move_decoders(DecoderTable& t) {
  t["mov"] = decode_mov;
  t["cvta"] = decode_cvta;
  t["isspacep"] = decode_isspacep;
}

}  // namespace ptxrun
