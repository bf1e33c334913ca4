// Logic, shifts, bit fields.
#include "tests/ptxrun/src/ops.hpp"

namespace ptxrun {
namespace {

struct And {
  template <class T>
  static T go(T a, T b) {
    return a & b;
  }
};
struct Or {
  template <class T>
  static T go(T a, T b) {
    return a | b;
  }
};
struct Xor {
  template <class T>
  static T go(T a, T b) {
    return a ^ b;
  }
};
struct Not {
  template <class T>
  static T go(T a) {
    return T(~a);
  }
};
struct Cnot {
  template <class T>
  static T go(T a) {
    return T(a == 0);
  }
};
struct Shl {
  template <class T>
  static T go(T a, std::uint32_t n) {
    return n >= 8 * sizeof(T) ? T(0) : T(Wide<T>(a) << n);
  }
};
struct Shr {
  template <class T>
  static T go(T a, std::uint32_t n) {
    constexpr std::uint32_t bits = 8 * sizeof(T);
    if (std::is_signed_v<T>) return T(a >> std::min(n, bits - 1));
    return n >= bits ? T(0) : T(a >> n);
  }
};
template <bool kWrap, bool kLeft>
struct Funnel {
  static std::uint32_t go(std::uint32_t lo, std::uint32_t hi, std::uint32_t n) {
    n = kWrap ? n & 31 : std::min(n, 32u);
    std::uint64_t v = std::uint64_t(hi) << 32 | lo;
    return kLeft ? std::uint32_t((v << n) >> 32) : std::uint32_t(v >> n);
  }
};
struct Popc {
  template <class T>
  static std::uint32_t go(T a) {
    return std::uint32_t(std::popcount(a));
  }
};
struct Clz {
  template <class T>
  static std::uint32_t go(T a) {
    return std::uint32_t(std::countl_zero(a));
  }
};
struct Brev {
  template <class T>
  static T go(T a) {
    T r = 0;
    for (unsigned i = 0; i < 8 * sizeof(T); ++i, a >>= 1) r = T(r << 1 | (a & 1));
    return r;
  }
};
template <bool kShift>
struct Bfind {
  template <class T>
  static std::uint32_t go(T a) {
    Unsigned<T> u = std::is_signed_v<T> && a < 0 ? Unsigned<T>(~a) : Unsigned<T>(a);
    if (u == 0) return ~0u;
    std::uint32_t at = std::uint32_t(8 * sizeof(T) - 1) - std::uint32_t(std::countl_zero(u));
    return kShift ? std::uint32_t(8 * sizeof(T) - 1) - at : at;
  }
};
struct Bfe {
  template <class T>
  static T go(T a, std::uint32_t pos, std::uint32_t len) {
    constexpr int msb = 8 * sizeof(T) - 1;
    pos &= 0xff;
    len &= 0xff;
    using U = Unsigned<T>;
    bool sign = std::is_signed_v<T> && len && ((U(a) >> std::min<int>(int(pos + len) - 1, msb)) & 1);
    U r = pos > std::uint32_t(msb) ? 0 : U(U(a) >> pos);
    if (len <= std::uint32_t(msb)) {
      U keep = (U(1) << len) - 1;
      r = (r & keep) | (sign ? U(~keep) : U(0));
    }
    if (sign && pos) {  // bits from beyond the top are the sign
      std::uint32_t have = pos > std::uint32_t(msb) ? 0 : std::uint32_t(msb) + 1 - pos;
      if (have < len && have <= std::uint32_t(msb)) r |= U(~U(0)) << have;
    }
    return T(r);
  }
};
template <class T>
void bfi(Warp& w, const Inst& in, std::uint32_t m) {
  T* d = w.at<T>(in.dst[0]);
  const T *a = w.at<T>(in.src[0]), *b = w.at<T>(in.src[1]);
  const std::uint32_t *c = w.at<std::uint32_t>(in.src[2]), *l = w.at<std::uint32_t>(in.src[3]);
  for_lanes(m, [=](int i) {
    std::uint32_t pos = c[i] & 0xff, len = l[i] & 0xff, bits = 8 * sizeof(T);
    T field = len >= bits ? T(~T(0)) : T((T(1) << len) - 1);
    T mask = pos >= bits ? T(0) : T(field << pos), moved = pos >= bits ? T(0) : T(a[i] << pos);
    d[i] = T((b[i] & ~mask) | (moved & mask));
  });
}
struct Bmsk {
  template <bool kWrap>
  struct Mode {
    static std::uint32_t go(std::uint32_t pos, std::uint32_t len) {
      if (kWrap) {
        pos &= 31;
        len &= 31;
      } else {
        pos = std::min(pos, 32u);
        len = std::min(len, 32u);
      }
      std::uint64_t m = ((1ull << len) - 1) << pos;
      return std::uint32_t(m);
    }
  };
};
template <bool kWrap, bool kSigned>
struct Szext {
  static std::uint32_t go(std::uint32_t a, std::uint32_t n) {
    if (kWrap)
      n &= 31;
    else if (n >= 32)
      return a;
    if (n == 0) return 0;
    std::uint32_t v = a & ((1u << n) - 1);
    return kSigned && (v >> (n - 1)) ? v | ~((1u << n) - 1) : v;
  }
};
// Finds the offset-th set bit from a base position.
struct Fns {
  static std::uint32_t go(std::uint32_t mask, std::uint32_t base, std::int32_t offset) {
    if (offset == 0) return base < 32 && (mask >> base & 1) ? base : ~0u;
    int step = offset > 0 ? 1 : -1, left = offset > 0 ? offset : -offset;
    for (std::int64_t p = base; p >= 0 && p < 32; p += step)
      if ((mask >> p & 1) && --left == 0) return std::uint32_t(p);
    return ~0u;
  }
};
struct Prmt {
  static std::uint32_t go(std::uint32_t a, std::uint32_t b, std::uint32_t sel) {
    std::uint64_t v = std::uint64_t(b) << 32 | a;
    std::uint32_t r = 0;
    for (int k = 0; k < 4; ++k) {
      std::uint32_t s = sel >> (4 * k), byte = std::uint32_t(v >> (8 * (s & 7))) & 0xff;
      if (s & 8) byte = byte & 0x80 ? 0xff : 0;
      r |= byte << (8 * k);
    }
    return r;
  }
};
// prmt with a mode: the selector's two low bits choose.
template <int kMode>
struct PrmtMode {
  static std::uint32_t go(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
    static constexpr std::uint16_t table[6][4] = {{0x3210, 0x4321, 0x5432, 0x6543}, {0x5670, 0x6701, 0x7012, 0x0123},
                                                  {0x0000, 0x1111, 0x2222, 0x3333}, {0x3210, 0x3211, 0x3222, 0x3333},
                                                  {0x0000, 0x1110, 0x2210, 0x3210}, {0x1010, 0x3232, 0x1010, 0x3232}};
    return Prmt::go(a, b, table[kMode][c & 3]);
  }
};

void lop3(Warp& w, const Inst& in, std::uint32_t m) {
  std::uint32_t* d = w.at<std::uint32_t>(in.dst[0]);
  const std::uint32_t *a = w.at<std::uint32_t>(in.src[0]), *b = w.at<std::uint32_t>(in.src[1]),
                      *c = w.at<std::uint32_t>(in.src[2]);
  std::uint32_t t[8];
  for (int k = 0; k < 8; ++k) t[k] = in.imm >> k & 1 ? ~0u : 0u;
  for_lanes(m, [=](int i) {
    std::uint32_t x = a[i], y = b[i], z = c[i];
    d[i] = (~x & ((~y & ((~z & t[0]) | (z & t[1]))) | (y & ((~z & t[2]) | (z & t[3]))))) |
           (x & ((~y & ((~z & t[4]) | (z & t[5]))) | (y & ((~z & t[6]) | (z & t[7])))));
  });
}

// ---- predicates: one mask for the warp
template <class F>
void predicate2(Warp& w, const Inst& in, std::uint32_t m) {
  std::uint32_t& d = *w.at<std::uint32_t>(in.dst[0]);
  d = (d & ~m) | (F::go(*w.at<std::uint32_t>(in.src[0]), *w.at<std::uint32_t>(in.src[1])) & m);
}
void predicate_not(Warp& w, const Inst& in, std::uint32_t m) {
  std::uint32_t& d = *w.at<std::uint32_t>(in.dst[0]);
  d = (d & ~m) | (~*w.at<std::uint32_t>(in.src[0]) & m);
}

template <class F>
void decode_logic(Decode& d) {
  Type t = d.take_type();
  operands(d, t, 2);
  if (t == Type::pred) return finish(d, predicate2<F>, Class::integer);
  finish(d,
         t == Type::b16   ? Handler(binary<std::uint16_t, F>)
         : t == Type::b32 ? Handler(binary<std::uint32_t, F>)
         : t == Type::b64 ? Handler(binary<std::uint64_t, F>)
                          : nullptr,
         Class::integer);
}
template <class F>
void decode_not(Decode& d) {
  Type t = d.take_type();
  operands(d, t, 1);
  if (t == Type::pred) return finish(d, predicate_not, Class::integer);
  finish(d,
         t == Type::b16   ? Handler(unary<std::uint16_t, F>)
         : t == Type::b32 ? Handler(unary<std::uint32_t, F>)
         : t == Type::b64 ? Handler(unary<std::uint64_t, F>)
                          : nullptr,
         Class::integer);
}
void decode_shift(Decode& d) {
  Type t = d.take_type();
  d.dst(0, t);
  d.src(1, t, 0);
  d.src(2, Type::u32, 1);
  Handler h = nullptr;
  if (d.base == "shl")
    t = as_unsigned(t);
  else if (!is_signed(t))
    t = as_unsigned(t);
  bool left = d.base == "shl";
  if (t == Type::u16)
    h = left ? Handler(map2<std::uint16_t, std::uint16_t, std::uint32_t, Shl>)
             : Handler(map2<std::uint16_t, std::uint16_t, std::uint32_t, Shr>);
  if (t == Type::u32)
    h = left ? Handler(map2<std::uint32_t, std::uint32_t, std::uint32_t, Shl>)
             : Handler(map2<std::uint32_t, std::uint32_t, std::uint32_t, Shr>);
  if (t == Type::u64)
    h = left ? Handler(map2<std::uint64_t, std::uint64_t, std::uint32_t, Shl>)
             : Handler(map2<std::uint64_t, std::uint64_t, std::uint32_t, Shr>);
  if (t == Type::s16) h = map2<std::int16_t, std::int16_t, std::uint32_t, Shr>;
  if (t == Type::s32) h = map2<std::int32_t, std::int32_t, std::uint32_t, Shr>;
  if (t == Type::s64) h = map2<std::int64_t, std::int64_t, std::uint32_t, Shr>;
  finish(d, h, Class::integer);
}
void decode_funnel(Decode& d) {
  if (d.take_type() != Type::b32) d.unsupported();
  bool left = d.take("l"), wrap = d.take("wrap");
  if (!left && !d.take("r")) d.unsupported();
  if (!wrap && !d.take("clamp")) d.unsupported();
  operands(d, Type::b32, 3);
  using T = std::uint32_t;
  finish(d,
         wrap ? (left ? Handler(ternary<T, Funnel<true, true>>) : Handler(ternary<T, Funnel<true, false>>))
              : (left ? Handler(ternary<T, Funnel<false, true>>) : Handler(ternary<T, Funnel<false, false>>)),
         Class::integer);
}
template <class F>
void decode_count(Decode& d) {
  Type t = d.take_type();
  d.dst(0, Type::u32);
  d.src(1, t, 0);
  finish(d,
         size_of(t) == 4   ? Handler(map1<std::uint32_t, std::uint32_t, F>)
         : size_of(t) == 8 ? Handler(map1<std::uint32_t, std::uint64_t, F>)
                           : nullptr,
         Class::integer);
}
void decode_bfind(Decode& d) {
  Type t = d.take_type();
  bool shift = d.take("shiftamt");
  d.dst(0, Type::u32);
  d.src(1, t, 0);
  Handler h = nullptr;
  if (t == Type::u32)
    h = shift ? Handler(map1<std::uint32_t, std::uint32_t, Bfind<true>>)
              : Handler(map1<std::uint32_t, std::uint32_t, Bfind<false>>);
  if (t == Type::s32)
    h = shift ? Handler(map1<std::uint32_t, std::int32_t, Bfind<true>>)
              : Handler(map1<std::uint32_t, std::int32_t, Bfind<false>>);
  if (t == Type::u64)
    h = shift ? Handler(map1<std::uint32_t, std::uint64_t, Bfind<true>>)
              : Handler(map1<std::uint32_t, std::uint64_t, Bfind<false>>);
  if (t == Type::s64)
    h = shift ? Handler(map1<std::uint32_t, std::int64_t, Bfind<true>>)
              : Handler(map1<std::uint32_t, std::int64_t, Bfind<false>>);
  finish(d, h, Class::integer);
}
void decode_bfe(Decode& d) {
  Type t = d.take_type();
  d.dst(0, t);
  d.src(1, t, 0);
  d.src(2, Type::u32, 1);
  d.src(3, Type::u32, 2);
  using U = std::uint32_t;
  Handler h = t == Type::u32   ? Handler(map3<U, U, U, U, Bfe>)
              : t == Type::s32 ? Handler(map3<std::int32_t, std::int32_t, U, U, Bfe>)
              : t == Type::u64 ? Handler(map3<std::uint64_t, std::uint64_t, U, U, Bfe>)
              : t == Type::s64 ? Handler(map3<std::int64_t, std::int64_t, U, U, Bfe>)
                               : nullptr;
  finish(d, h, Class::integer);
}
void decode_bfi(Decode& d) {
  Type t = d.take_type();
  d.dst(0, t);
  d.src(1, t, 0);
  d.src(2, t, 1);
  d.src(3, Type::u32, 2);
  d.src(4, Type::u32, 3);
  finish(d,
         size_of(t) == 4   ? Handler(bfi<std::uint32_t>)
         : size_of(t) == 8 ? Handler(bfi<std::uint64_t>)
                           : nullptr,
         Class::integer);
}
void decode_masks(Decode& d) {  // bmsk, szext
  Type t = d.take_type();
  bool wrap = d.take("wrap");
  if (!wrap && !d.take("clamp")) d.unsupported();
  operands(d, Type::b32, 2);
  using T = std::uint32_t;
  if (d.base == "bmsk")
    return finish(d, wrap ? Handler(binary<T, Bmsk::Mode<true>>) : Handler(binary<T, Bmsk::Mode<false>>),
                  Class::integer);
  bool s = is_signed(t);
  finish(d,
         wrap ? (s ? Handler(binary<T, Szext<true, true>>) : Handler(binary<T, Szext<true, false>>))
              : (s ? Handler(binary<T, Szext<false, true>>) : Handler(binary<T, Szext<false, false>>)),
         Class::integer);
}
void decode_fns(Decode& d) {
  d.take_type();
  operands(d, Type::b32, 3);
  finish(d, map3<std::uint32_t, std::uint32_t, std::uint32_t, std::int32_t, Fns>, Class::integer);
}
void decode_prmt(Decode& d) {
  static constexpr std::string_view modes[] = {"f4e", "b4e", "rc8", "ecl", "ecr", "rc16"};
  static constexpr Handler handlers[] = {ternary<std::uint32_t, PrmtMode<0>>, ternary<std::uint32_t, PrmtMode<1>>,
                                         ternary<std::uint32_t, PrmtMode<2>>, ternary<std::uint32_t, PrmtMode<3>>,
                                         ternary<std::uint32_t, PrmtMode<4>>, ternary<std::uint32_t, PrmtMode<5>>};
  Handler h = ternary<std::uint32_t, Prmt>;
  for (int k = 0; k < 6; ++k)
    if (d.take(modes[k])) h = handlers[k];
  d.take_type();
  operands(d, Type::b32, 3);
  finish(d, h, Class::integer);
}
void decode_lop3(Decode& d) {
  if (d.take_type() != Type::b32) d.unsupported();
  operands(d, Type::b32, 3);
  d.in.imm = std::int64_t(parse_number(d.op(4).name, false, 4));
  finish(d, lop3, Class::integer);
}
void decode_brev(Decode& d) {
  Type t = d.take_type();
  operands(d, t, 1);
  finish(d, size_of(t) == 4 ? Handler(unary<std::uint32_t, Brev>) : Handler(unary<std::uint64_t, Brev>),
         Class::integer);
}

}  // namespace

void add_bit_decoders(DecoderTable& t) {
  t["and"] = decode_logic<And>;
  t["or"] = decode_logic<Or>;
  t["xor"] = decode_logic<Xor>;
  t["not"] = decode_not<Not>;
  t["cnot"] = decode_not<Cnot>;
  t["shl"] = t["shr"] = decode_shift;
  t["shf"] = decode_funnel;
  t["popc"] = decode_count<Popc>;
  t["clz"] = decode_count<Clz>;
  t["brev"] = decode_brev;
  t["bfind"] = decode_bfind;
  t["bfe"] = decode_bfe;
  t["bfi"] = decode_bfi;
  t["bmsk"] = t["szext"] = decode_masks;
  t["fns"] = decode_fns;
  t["prmt"] = decode_prmt;
  t["lop3"] = decode_lop3;
}

}  // namespace ptxrun
