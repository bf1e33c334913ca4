// Integer arithmetic.
#include <limits>
#include "tests/ptxrun/src/ops.hpp"

namespace ptxrun {
namespace {

struct Add {
  template <class T>
  static T go(T a, T b) {
    return T(Wide<T>(a) + Wide<T>(b));
  }
};
struct Sub {
  template <class T>
  static T go(T a, T b) {
    return T(Wide<T>(a) - Wide<T>(b));
  }
};
struct Mul {
  template <class T>
  static T go(T a, T b) {
    return T(Wide<T>(a) * Wide<T>(b));
  }
};
struct Mad {
  template <class T>
  static T go(T a, T b, T c) {
    return T(Wide<T>(a) * Wide<T>(b) + Wide<T>(c));
  }
};
struct Min {
  template <class T>
  static T go(T a, T b) {
    return b < a ? b : a;
  }
};
struct Max {
  template <class T>
  static T go(T a, T b) {
    return a < b ? b : a;
  }
};
struct MinRelu {
  template <class T>
  static T go(T a, T b) {
    return Max::go(Min::go(a, b), T(0));
  }
};
struct MaxRelu {
  template <class T>
  static T go(T a, T b) {
    return Max::go(Max::go(a, b), T(0));
  }
};
struct Neg {
  template <class T>
  static T go(T a) {
    return T(Wide<T>(0) - Wide<T>(a));
  }
};
struct Abs {
  template <class T>
  static T go(T a) {
    return a < T(0) ? Neg::go(a) : a;
  }
};
struct Div {  // by zero: all ones, as the emulation of ptxas gives
  template <class T>
  static T go(T a, T b) {
    if (b == 0) return T(~T(0));
    if (std::is_signed_v<T> && b == T(-1)) return Neg::go(a);
    return T(a / b);
  }
};
struct Rem {
  template <class T>
  static T go(T a, T b) {
    if (b == 0) return a;
    if (std::is_signed_v<T> && b == T(-1)) return 0;
    return T(a % b);
  }
};
struct MulHi {
  template <class T>
  static T go(T a, T b) {
    if constexpr (sizeof(T) == 8) {
      using W = std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>;
      return T((W(a) * W(b)) >> 64);
    } else {
      using W = std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>;
      return T((W(a) * W(b)) >> (8 * sizeof(T)));
    }
  }
};
struct MadHi {
  template <class T>
  static T go(T a, T b, T c) {
    return Add::go(MulHi::go(a, b), c);
  }
};
struct Sad {
  template <class T>
  static T go(T a, T b, T c) {
    return T(Wide<T>(c) + (a < b ? Wide<T>(b) - Wide<T>(a) : Wide<T>(a) - Wide<T>(b)));
  }
};
struct AddSat {
  static std::int32_t go(std::int32_t a, std::int32_t b) {
    std::int64_t s = std::int64_t(a) + b;
    return std::int32_t(std::min<std::int64_t>(std::max<std::int64_t>(s, INT32_MIN), INT32_MAX));
  }
};
struct SubSat {
  static std::int32_t go(std::int32_t a, std::int32_t b) {
    std::int64_t s = std::int64_t(a) - b;
    return std::int32_t(std::min<std::int64_t>(std::max<std::int64_t>(s, INT32_MIN), INT32_MAX));
  }
};
struct MulWide {
  template <class A>
  static auto go(A a, A b) {
    using R = std::conditional_t<sizeof(A) == 2, std::conditional_t<std::is_signed_v<A>, std::int32_t, std::uint32_t>,
                                 std::conditional_t<std::is_signed_v<A>, std::int64_t, std::uint64_t>>;
    return R(Wide<R>(R(a)) * Wide<R>(R(b)));
  }
};
struct MadWide {
  template <class A, class R>
  static R go(A a, A b, R c) {
    return R(Wide<R>(MulWide::go(a, b)) + Wide<R>(c));
  }
};
template <bool kSigned>
struct Mul24 {
  static std::uint32_t go(std::uint32_t a, std::uint32_t b) {
    if (kSigned) return std::uint32_t((std::int64_t(std::int32_t(a << 8) >> 8)) * (std::int32_t(b << 8) >> 8));
    return std::uint32_t(std::uint64_t(a & 0xffffff) * (b & 0xffffff));
  }
};
template <bool kSigned>
struct Mad24 {
  static std::uint32_t go(std::uint32_t a, std::uint32_t b, std::uint32_t c) { return Mul24<kSigned>::go(a, b) + c; }
};
// Two 16-bit values in a word.
template <class F, class H>
struct Pair {
  static std::uint32_t go(std::uint32_t a, std::uint32_t b) {
    return std::uint32_t(std::uint16_t(F::go(H(a), H(b)))) | std::uint32_t(std::uint16_t(F::go(H(a >> 16), H(b >> 16))))
                                                                 << 16;
  }
};

// ---- extended precision: the carry is a bit of the warp's mask
enum CarryOp { kAdd, kSub, kMadLo, kMadHi };
template <class T, CarryOp op>
void with_carry(Warp& w, const Inst& in, std::uint32_t m) {
  using U = Unsigned<T>;
  using W = std::conditional_t<sizeof(T) == 4, std::uint64_t, unsigned __int128>;
  bool use = in.imm & 1, set = in.imm & 2;
  U* d = w.at<U>(in.dst[0]);
  const U *a = w.at<U>(in.src[0]), *b = w.at<U>(in.src[1]);
  const U* c = op >= kMadLo ? w.at<U>(in.src[2]) : nullptr;
  std::uint32_t carry = w.carry;
  for (; m; m &= m - 1) {
    int i = lowest(m);
    W in_bit = use ? (w.carry >> i) & 1 : 0, r;
    if (op == kSub)
      r = W(a[i]) - b[i] - in_bit;
    else {
      U x = op == kAdd ? a[i] : op == kMadLo ? U(a[i] * b[i]) : U(MulHi::go(T(a[i]), T(b[i])));
      r = W(x) + (op == kAdd ? b[i] : c[i]) + in_bit;
    }
    d[i] = U(r);
    bool out = (r >> (8 * sizeof(T))) & 1;
    if (set) carry = (carry & ~(1u << i)) | std::uint32_t(out) << i;
  }
  w.carry = carry;
}
template <CarryOp op>
void decode_carry(Decode& d, Type t, bool use, bool set) {
  d.in.imm = use | set << 1;
  operands(d, t, op >= kMadLo ? 3 : 2);
  Handler h = t == Type::u32 || t == Type::b32   ? Handler(with_carry<std::uint32_t, op>)
              : t == Type::s32                   ? Handler(with_carry<std::int32_t, op>)
              : t == Type::u64 || t == Type::b64 ? Handler(with_carry<std::uint64_t, op>)
              : t == Type::s64                   ? Handler(with_carry<std::int64_t, op>)
                                                 : nullptr;
  finish(d, h, Class::integer);
}

template <bool kSignedA, bool kSignedB>
struct Dp4a {
  static std::uint32_t go(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
    for (int k = 0; k < 32; k += 8) {
      std::int32_t x = kSignedA ? std::int8_t(a >> k) : std::uint8_t(a >> k),
                   y = kSignedB ? std::int8_t(b >> k) : std::uint8_t(b >> k);
      c += std::uint32_t(x * y);
    }
    return c;
  }
};
template <bool kSignedA, bool kSignedB, int kHigh>
struct Dp2a {
  static std::uint32_t go(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
    for (int k = 0; k < 2; ++k) {
      std::int32_t x = kSignedA ? std::int16_t(a >> (16 * k)) : std::uint16_t(a >> (16 * k));
      std::uint32_t byte = b >> (8 * (k + 2 * kHigh));
      c += std::uint32_t(x * (kSignedB ? std::int8_t(byte) : std::uint8_t(byte)));
    }
    return c;
  }
};

template <class F>
void decode_binary(Decode& d, Type t) {
  operands(d, t, 2);
  finish(d, PTXRUN_PICK_INT(binary, F, t), Class::integer);
}

bool is_pair(Type t, std::string_view mod) { return t == Type::none && (mod == "u16x2" || mod == "s16x2"); }
template <class F>
bool decode_pair(Decode& d) {
  std::string_view last = d.mods.empty() ? std::string_view() : d.mods.back();
  if (!is_pair(parse_type(last), last)) return false;
  d.mods.pop_back();
  operands(d, Type::b32, 2);
  finish(d,
         last == "s16x2" ? Handler(binary<std::uint32_t, Pair<F, std::int16_t>>)
                         : Handler(binary<std::uint32_t, Pair<F, std::uint16_t>>),
         Class::integer);
  return true;
}

void decode_add(Decode& d) {
  if (decode_pair<Add>(d)) return;
  Type t = d.take_type();
  if (is_float(t)) return decode_float_arithmetic(d, t);
  if (d.take("cc")) return decode_carry<kAdd>(d, t, false, true);
  if (d.take("sat")) {
    operands(d, t, 2);
    return finish(d, t == Type::s32 ? Handler(binary<std::int32_t, AddSat>) : nullptr, Class::integer);
  }
  decode_binary<Add>(d, as_unsigned(t));
}
void decode_sub(Decode& d) {
  Type t = d.take_type();
  if (is_float(t)) return decode_float_arithmetic(d, t);
  if (d.take("cc")) return decode_carry<kSub>(d, t, false, true);
  if (d.take("sat")) {
    operands(d, t, 2);
    return finish(d, t == Type::s32 ? Handler(binary<std::int32_t, SubSat>) : nullptr, Class::integer);
  }
  decode_binary<Sub>(d, as_unsigned(t));
}
void decode_addc(Decode& d) {
  Type t = d.take_type();
  decode_carry<kAdd>(d, t, true, d.take("cc"));
}
void decode_subc(Decode& d) {
  Type t = d.take_type();
  decode_carry<kSub>(d, t, true, d.take("cc"));
}

Type doubled(Type t) {
  switch (t) {
    case Type::u16:
      return Type::u32;
    case Type::s16:
      return Type::s32;
    case Type::u32:
      return Type::u64;
    case Type::s32:
      return Type::s64;
    default:
      return Type::none;
  }
}
void decode_wide(Decode& d, Type t, bool add) {
  Type r = doubled(t);
  if (r == Type::none) d.unsupported();
  d.dst(0, r);
  d.src(1, t, 0);
  d.src(2, t, 1);
  if (add) d.src(3, r, 2);
  Handler h = nullptr;
  if (t == Type::u16)
    h = add ? Handler(map3<std::uint32_t, std::uint16_t, std::uint16_t, std::uint32_t, MadWide>)
            : Handler(map2<std::uint32_t, std::uint16_t, std::uint16_t, MulWide>);
  if (t == Type::s16)
    h = add ? Handler(map3<std::int32_t, std::int16_t, std::int16_t, std::int32_t, MadWide>)
            : Handler(map2<std::int32_t, std::int16_t, std::int16_t, MulWide>);
  if (t == Type::u32)
    h = add ? Handler(map3<std::uint64_t, std::uint32_t, std::uint32_t, std::uint64_t, MadWide>)
            : Handler(map2<std::uint64_t, std::uint32_t, std::uint32_t, MulWide>);
  if (t == Type::s32)
    h = add ? Handler(map3<std::int64_t, std::int32_t, std::int32_t, std::int64_t, MadWide>)
            : Handler(map2<std::int64_t, std::int32_t, std::int32_t, MulWide>);
  finish(d, h, Class::integer);
}
void decode_mul(Decode& d) {
  Type t = d.take_type();
  if (is_float(t)) return decode_float_arithmetic(d, t);
  if (d.take("wide")) return decode_wide(d, t, false);
  if (d.take("hi")) return decode_binary<MulHi>(d, t);
  if (!d.take("lo")) d.unsupported();
  decode_binary<Mul>(d, as_unsigned(t));
}
void decode_mad(Decode& d) {
  Type t = d.take_type();
  if (is_float(t)) return decode_float_arithmetic(d, t);
  if (d.take("wide")) return decode_wide(d, t, true);
  bool hi = d.take("hi"), carry = d.take("cc");
  if (!hi && !d.take("lo")) d.unsupported();
  if (carry) return hi ? decode_carry<kMadHi>(d, t, false, true) : decode_carry<kMadLo>(d, t, false, true);
  operands(d, t, 3);
  finish(d, hi ? PTXRUN_PICK_INT(ternary, MadHi, t) : PTXRUN_PICK_INT(ternary, Mad, as_unsigned(t)), Class::integer);
}
void decode_madc(Decode& d) {
  Type t = d.take_type();
  bool hi = d.take("hi"), set = d.take("cc");
  if (!hi && !d.take("lo")) d.unsupported();
  hi ? decode_carry<kMadHi>(d, t, true, set) : decode_carry<kMadLo>(d, t, true, set);
}
template <class F, class Relu>
void decode_extreme(Decode& d) {
  if (decode_pair<F>(d)) return;
  Type t = d.take_type();
  if (is_float(t)) return decode_float_arithmetic(d, t);
  if (d.take("relu")) return decode_binary<Relu>(d, t);
  decode_binary<F>(d, t);
}
template <class F>
void decode_quotient(Decode& d) {
  Type t = d.take_type();
  if (is_float(t)) return decode_float_arithmetic(d, t);
  decode_binary<F>(d, t);
}
template <class F>
void decode_unary(Decode& d) {
  Type t = d.take_type();
  if (is_float(t)) return decode_float_arithmetic(d, t);
  operands(d, t, 1);
  finish(d, PTXRUN_PICK_INT(unary, F, t), Class::integer);
}
void decode_sad(Decode& d) {
  Type t = d.take_type();
  operands(d, t, 3);
  finish(d, PTXRUN_PICK_INT(ternary, Sad, t), Class::integer);
}
void decode_mul24(Decode& d) {
  Type t = d.take_type();
  if (!d.take("lo") || size_of(t) != 4) d.unsupported();
  bool mad = d.base == "mad24", s = t == Type::s32;
  operands(d, Type::b32, mad ? 3 : 2);
  finish(d,
         mad ? (s ? Handler(ternary<std::uint32_t, Mad24<true>>) : Handler(ternary<std::uint32_t, Mad24<false>>))
             : (s ? Handler(binary<std::uint32_t, Mul24<true>>) : Handler(binary<std::uint32_t, Mul24<false>>)),
         Class::integer);
}
void decode_dot(Decode& d) {
  bool b_signed = d.take_type() == Type::s32, a_signed = d.take_type() == Type::s32, hi = d.take("hi");
  bool two = d.base == "dp2a";
  if (two && !hi && !d.take("lo")) d.unsupported();
  operands(d, Type::b32, 3);
  using T = std::uint32_t;
  Handler four[4] = {ternary<T, Dp4a<false, false>>, ternary<T, Dp4a<false, true>>, ternary<T, Dp4a<true, false>>,
                     ternary<T, Dp4a<true, true>>};
  Handler lo[4] = {ternary<T, Dp2a<false, false, 0>>, ternary<T, Dp2a<false, true, 0>>,
                   ternary<T, Dp2a<true, false, 0>>, ternary<T, Dp2a<true, true, 0>>};
  Handler high[4] = {ternary<T, Dp2a<false, false, 1>>, ternary<T, Dp2a<false, true, 1>>,
                     ternary<T, Dp2a<true, false, 1>>, ternary<T, Dp2a<true, true, 1>>};
  int which = a_signed * 2 + b_signed;
  finish(d, !two ? four[which] : hi ? high[which] : lo[which], Class::integer);
}

}  // namespace

void add_integer_decoders(DecoderTable& t) {
  t["add"] = decode_add;
  t["sub"] = decode_sub;
  t["addc"] = decode_addc;
  t["subc"] = decode_subc;
  t["mul"] = decode_mul;
  t["mad"] = decode_mad;
  t["madc"] = decode_madc;
  t["min"] = decode_extreme<Min, MinRelu>;
  t["max"] = decode_extreme<Max, MaxRelu>;
  t["div"] = decode_quotient<Div>;
  t["rem"] = decode_quotient<Rem>;
  t["neg"] = decode_unary<Neg>;
  t["abs"] = decode_unary<Abs>;
  t["sad"] = decode_sad;
  t["mul24"] = t["mad24"] = decode_mul24;
  t["dp4a"] = t["dp2a"] = decode_dot;
}

}  // namespace ptxrun
