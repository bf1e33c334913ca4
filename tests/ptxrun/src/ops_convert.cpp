// cvt: lanes are read into wide values, converted, and written to the width of the destination register.
#include "tests/ptxrun/src/number.hpp"
#include "tests/ptxrun/src/ops.hpp"

namespace ptxrun {
namespace {

struct Plan {  // packed into Inst::imm
  std::uint8_t from, to, from_bytes, to_bytes, rounding;
  bool integral, ftz, sat, relu;
};
std::uint64_t pack(const Plan& p) {
  return std::uint64_t(p.from) | std::uint64_t(p.to) << 8 | std::uint64_t(p.from_bytes) << 16 |
         std::uint64_t(p.to_bytes) << 24 | std::uint64_t(p.rounding) << 32 | std::uint64_t(p.integral) << 40 |
         std::uint64_t(p.ftz) << 41 | std::uint64_t(p.sat) << 42 | std::uint64_t(p.relu) << 43;
}
Plan unpack(std::int64_t v) {
  return {std::uint8_t(v),   std::uint8_t(v >> 8), std::uint8_t(v >> 16), std::uint8_t(v >> 24), std::uint8_t(v >> 32),
          bool(v >> 40 & 1), bool(v >> 41 & 1),    bool(v >> 42 & 1),     bool(v >> 43 & 1)};
}

using Raw = std::uint64_t[kLanes];
void read_raw(Warp& w, std::uint32_t ref, unsigned bytes, Raw out) {
  if (bytes == 2) {
    auto* s = w.at<std::uint16_t>(ref);
    for (int i = 0; i < kLanes; ++i) out[i] = s[i];
  } else if (bytes == 4) {
    auto* s = w.at<std::uint32_t>(ref);
    for (int i = 0; i < kLanes; ++i) out[i] = s[i];
  } else {
    auto* s = w.at<std::uint64_t>(ref);
    for (int i = 0; i < kLanes; ++i) out[i] = s[i];
  }
}
void write_raw(Warp& w, std::uint32_t ref, unsigned bytes, std::uint32_t m, const Raw v) {
  if (bytes == 2) {
    auto* d = w.at<std::uint16_t>(ref);
    for_lanes(m, [&](int i) { d[i] = std::uint16_t(v[i]); });
  } else if (bytes == 4) {
    auto* d = w.at<std::uint32_t>(ref);
    for_lanes(m, [&](int i) { d[i] = std::uint32_t(v[i]); });
  } else {
    auto* d = w.at<std::uint64_t>(ref);
    for_lanes(m, [&](int i) { d[i] = v[i]; });
  }
}
// Cuts to the type's width and extends by its sign.
void extend(Type t, Raw v) {
  switch (t) {
    case Type::u8:
    case Type::b8:
      for (int i = 0; i < kLanes; ++i) v[i] = std::uint8_t(v[i]);
      break;
    case Type::s8:
      for (int i = 0; i < kLanes; ++i) v[i] = std::uint64_t(std::int64_t(std::int8_t(v[i])));
      break;
    case Type::u16:
    case Type::b16:
      for (int i = 0; i < kLanes; ++i) v[i] = std::uint16_t(v[i]);
      break;
    case Type::s16:
      for (int i = 0; i < kLanes; ++i) v[i] = std::uint64_t(std::int64_t(std::int16_t(v[i])));
      break;
    case Type::u32:
    case Type::b32:
      for (int i = 0; i < kLanes; ++i) v[i] = std::uint32_t(v[i]);
      break;
    case Type::s32:
      for (int i = 0; i < kLanes; ++i) v[i] = std::uint64_t(std::int64_t(std::int32_t(v[i])));
      break;
    default:
      break;
  }
}

double float_value(Type t, std::uint64_t raw) {
  switch (t) {
    case Type::f16:
      return decode_f16(std::uint16_t(raw));
    case Type::bf16:
      return decode_bf16(std::uint16_t(raw));
    case Type::f32:
    case Type::tf32:
      return std::bit_cast<float>(std::uint32_t(raw));
    default:
      return std::bit_cast<double>(raw);
  }
}
std::uint64_t float_bits(Type t, double v, Round r) {
  switch (t) {
    case Type::f16:
      return encode(v, kF16, r);
    case Type::bf16:
      return encode(v, kBf16, r);
    case Type::tf32:
      return std::uint64_t(encode(v, kTf32, r)) << 13;
    case Type::f32: {
      if (v != v) return 0x7fffffff;
      if (r == Round::nearest) return std::bit_cast<std::uint32_t>(float(v));
      return encode(v, {8, 23}, r);
    }
    default:
      return std::bit_cast<std::uint64_t>(v);
  }
}
double to_integral(double v, Round r) {
  switch (r) {
    case Round::zero:
      return std::trunc(v);
    case Round::down:
      return std::floor(v);
    case Round::up:
      return std::ceil(v);
    default:
      return std::nearbyint(v);
  }
}

// An integer as a double that rounds right when it is rounded again: a sticky bit stands for what does not fit.
double sticky(std::uint64_t raw, bool is_signed) {
  bool negative = is_signed && std::int64_t(raw) < 0;
  std::uint64_t a = negative ? 0 - raw : raw;
  if (a >> 53) a = (a & ~0xfffull) | (a & 0xfff ? 0x800 : 0);
  return negative ? -double(a) : double(a);
}

std::uint64_t clamp_integer(std::int64_t v, Type from, Type to) {
  unsigned bits = 8 * size_of(to);
  __int128 x = is_signed(from) ? __int128(v) : __int128(std::uint64_t(v));
  __int128 lo = is_signed(to) ? -(__int128(1) << (bits - 1)) : 0;
  __int128 hi = (__int128(1) << (is_signed(to) ? bits - 1 : bits)) - 1;
  return std::uint64_t(x < lo ? lo : x > hi ? hi : x);
}

std::uint64_t float_to_integer(double v, Type from, Type to) {
  unsigned bits = 8 * size_of(to);
  if (v != v) return from == Type::f64 || bits == 64 ? 1ull << (bits - 1) : 0;
  if (is_signed(to)) {
    double limit = double(1ull << (bits - 1));
    if (v >= limit) return (1ull << (bits - 1)) - 1;
    if (v < -limit) return 0 - (1ull << (bits - 1));
    return std::uint64_t(std::int64_t(v));
  }
  if (v <= 0) return 0;
  if (v >= 2 * double(1ull << (bits - 1))) return bits == 64 ? ~0ull : (1ull << bits) - 1;
  return std::uint64_t(v);
}

void integer_to_integer(Warp& w, const Inst& in, std::uint32_t m) {
  Plan p = unpack(in.imm);
  Raw v;
  read_raw(w, in.src[0], p.from_bytes, v);
  extend(Type(p.from), v);
  if (p.sat)
    for (int i = 0; i < kLanes; ++i) v[i] = clamp_integer(std::int64_t(v[i]), Type(p.from), Type(p.to));
  extend(Type(p.to), v);
  write_raw(w, in.dst[0], p.to_bytes, m, v);
}

void integer_to_float(Warp& w, const Inst& in, std::uint32_t m) {
  Plan p = unpack(in.imm);
  Raw v;
  read_raw(w, in.src[0], p.from_bytes, v);
  extend(Type(p.from), v);
  bool sign = is_signed(Type(p.from));
  Round r = Round(p.rounding);
  if (Type(p.to) == Type::f32 && r == Round::nearest && !p.sat) {
    for_lanes(m, [&](int i) { v[i] = std::bit_cast<std::uint32_t>(sign ? float(std::int64_t(v[i])) : float(v[i])); });
  } else if (Type(p.to) == Type::f64) {
    Rounding mode(r);
    for_lanes(m, [&](int i) {
      volatile double x = sign ? double(std::int64_t(v[i])) : double(v[i]);
      v[i] = std::bit_cast<std::uint64_t>(double(x));
    });
  } else {
    for_lanes(m, [&](int i) {
      double x = sticky(v[i], sign);
      v[i] = float_bits(Type(p.to), p.sat ? saturate(x) : x, r);
    });
  }
  write_raw(w, in.dst[0], p.to_bytes, m, v);
}

void float_to_any(Warp& w, const Inst& in, std::uint32_t m) {
  Plan p = unpack(in.imm);
  Raw v;
  read_raw(w, in.src[0], p.from_bytes, v);
  Type from = Type(p.from), to = Type(p.to);
  Round r = Round(p.rounding);
  bool to_float = is_float(to);
  for_lanes(m, [&](int i) {
    double x = float_value(from, v[i]);
    if (p.ftz && from == Type::f32) x = flush(float(x));
    if (p.integral) x = to_integral(x, r);
    if (!to_float) {
      v[i] = float_to_integer(x, from, to);
      return;
    }
    if (p.sat) x = saturate(x);
    if (p.relu && x < 0) x = 0;
    v[i] = float_bits(to, x, p.integral ? Round::nearest : r);
    if (p.ftz && to == Type::f32) v[i] = std::bit_cast<std::uint32_t>(flush(std::bit_cast<float>(std::uint32_t(v[i]))));
  });
  if (!to_float) extend(to, v);
  write_raw(w, in.dst[0], p.to_bytes, m, v);
}

// ---- pairs
template <Type kTo>
std::uint32_t pair_bits(float hi, float lo, Round r, bool relu) {
  if (relu) {
    hi = hi < 0 ? 0 : hi;
    lo = lo < 0 ? 0 : lo;
  }
  auto satfinite_e5m2 = [](float v) {
    if (v != v) return 0x7fu;
    std::uint32_t bits = encode(v, kE5m2, Round::nearest);
    return (bits & 0x7f) >= 0x7c ? (bits & 0x80) | 0x7bu : bits;
  };
  if (kTo == Type::f16x2) return encode(hi, kF16, r) << 16 | encode(lo, kF16, r);
  if (kTo == Type::bf16x2) return encode(hi, kBf16, r) << 16 | encode(lo, kBf16, r);
  if (kTo == Type::e4m3x2) return std::uint32_t(encode_e4m3(hi)) << 8 | encode_e4m3(lo);
  return satfinite_e5m2(hi) << 8 | satfinite_e5m2(lo);
}
template <Type kTo, class R>
void floats_to_pair(Warp& w, const Inst& in, std::uint32_t m) {
  Plan p = unpack(in.imm);
  R* d = w.at<R>(in.dst[0]);
  const float *a = w.at<float>(in.src[0]), *b = w.at<float>(in.src[1]);
  for_lanes(m, [&](int i) { d[i] = R(pair_bits<kTo>(a[i], b[i], Round(p.rounding), p.relu)); });
}
template <Type kTo>
void half_pair_to_small(Warp& w, const Inst& in, std::uint32_t m) {
  Plan p = unpack(in.imm);
  std::uint16_t* d = w.at<std::uint16_t>(in.dst[0]);
  const std::uint32_t* a = w.at<std::uint32_t>(in.src[0]);
  for_lanes(m, [&](int i) {
    d[i] = std::uint16_t(
        pair_bits<kTo>(decode_f16(std::uint16_t(a[i] >> 16)), decode_f16(std::uint16_t(a[i])), Round::nearest, p.relu));
  });
}
template <bool kE4>
void small_to_half_pair(Warp& w, const Inst& in, std::uint32_t m) {
  std::uint32_t* d = w.at<std::uint32_t>(in.dst[0]);
  const std::uint16_t* a = w.at<std::uint16_t>(in.src[0]);
  auto one = [](std::uint8_t v) { return encode(kE4 ? decode_e4m3(v) : decode_e5m2(v), kF16, Round::nearest); };
  for_lanes(m, [&](int i) { d[i] = one(std::uint8_t(a[i] >> 8)) << 16 | one(std::uint8_t(a[i])); });
}

void decode_pair(Decode& d, Type from, Type to, Plan p) {
  d.in.imm = std::int64_t(pack(p));
  d.dst(0, to);
  bool satfinite = d.take("satfinite");
  if (from == Type::f32) {
    d.src(1, Type::f32, 0);
    d.src(2, Type::f32, 1);
    if (to == Type::f16x2 && !satfinite) return finish(d, floats_to_pair<Type::f16x2, std::uint32_t>, Class::convert);
    if (to == Type::bf16x2 && !satfinite) return finish(d, floats_to_pair<Type::bf16x2, std::uint32_t>, Class::convert);
    if (to == Type::e4m3x2 && satfinite) return finish(d, floats_to_pair<Type::e4m3x2, std::uint16_t>, Class::convert);
    if (to == Type::e5m2x2 && satfinite) return finish(d, floats_to_pair<Type::e5m2x2, std::uint16_t>, Class::convert);
    d.unsupported();
  }
  d.src(1, from, 0);
  if (from == Type::f16x2 && to == Type::e4m3x2 && satfinite)
    return finish(d, half_pair_to_small<Type::e4m3x2>, Class::convert);
  if (from == Type::f16x2 && to == Type::e5m2x2 && satfinite)
    return finish(d, half_pair_to_small<Type::e5m2x2>, Class::convert);
  if (from == Type::e4m3x2 && to == Type::f16x2) return finish(d, small_to_half_pair<true>, Class::convert);
  if (from == Type::e5m2x2 && to == Type::f16x2) return finish(d, small_to_half_pair<false>, Class::convert);
  d.unsupported();
}

bool is_pair(Type t) { return t == Type::f16x2 || t == Type::bf16x2 || t == Type::e4m3x2 || t == Type::e5m2x2; }

// The destination register may be wider than the type, the source too: cvt cuts and extends.
std::uint32_t any_width(Decode& d, const Operand& o, Type t, std::uint8_t& bytes, bool target) {
  bytes = std::uint8_t(std::max(2u, size_of(t)));
  if (unsigned have = d.register_bytes(o); have && o.kind == Operand::Kind::name) {
    if (have < size_of(t)) d.unsupported("operand width");
    bytes = std::uint8_t(have);
  }
  Type as = bytes == 2 ? Type::b16 : bytes == 4 ? Type::b32 : Type::b64;
  return target ? d.target(o, as) : d.source(o, as);
}

void decode_cvt(Decode& d) {
  Type from = d.take_type(), to = d.take_type();
  Plan p{std::uint8_t(from), std::uint8_t(to), 0, 0, std::uint8_t(Round::nearest), false, d.take("ftz"),
         d.take("sat"),      d.take("relu")};
  struct {
    std::string_view name;
    Round r;
    bool integral;
  } modes[] = {{"rn", Round::nearest, false}, {"rz", Round::zero, false},    {"rm", Round::down, false},
               {"rp", Round::up, false},      {"rni", Round::nearest, true}, {"rzi", Round::zero, true},
               {"rmi", Round::down, true},    {"rpi", Round::up, true},      {"rna", Round::away, false}};
  for (auto& mode : modes)
    if (d.take(mode.name)) {
      p.rounding = std::uint8_t(mode.r);
      p.integral = mode.integral;
      break;
    }
  if (is_pair(from) || is_pair(to)) return decode_pair(d, from, to, p);
  d.in.src[0] = any_width(d, d.op(1), from, p.from_bytes, false);
  d.in.dst[0] = any_width(d, d.op(0), to == Type::tf32 ? Type::b32 : to, p.to_bytes, true);
  d.in.imm = std::int64_t(pack(p));
  finish(d, is_float(from) ? float_to_any : is_float(to) ? integer_to_float : integer_to_integer, Class::convert);
}

}  // namespace

void add_convert_decoders(DecoderTable& t) { t["cvt"] = decode_cvt; }

}  // namespace ptxrun
