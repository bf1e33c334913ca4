// setp, set, selp, slct.
#include <functional>
#include "tests/ptxrun/src/number.hpp"
#include "tests/ptxrun/src/ops.hpp"

namespace ptxrun {
namespace {

struct F16 {
  std::uint16_t bits;
};
struct Bf16 {
  std::uint16_t bits;
};
template <class T>
T value(T v) {
  return v;
}
float value(F16 v) { return decode_f16(v.bits); }
float value(Bf16 v) { return decode_bf16(v.bits); }

struct Eq {
  template <class T>
  static bool go(T a, T b) {
    return a == b;
  }
};
struct Ne {
  template <class T>
  static bool go(T a, T b) {
    return (a < b) | (a > b) | (std::is_integral_v<T> && a != b);
  }
};
struct Lt {
  template <class T>
  static bool go(T a, T b) {
    return a < b;
  }
};
struct Le {
  template <class T>
  static bool go(T a, T b) {
    return a <= b;
  }
};
struct Gt {
  template <class T>
  static bool go(T a, T b) {
    return a > b;
  }
};
struct Ge {
  template <class T>
  static bool go(T a, T b) {
    return a >= b;
  }
};
struct Equ {
  template <class T>
  static bool go(T a, T b) {
    return !Ne::go(a, b);
  }
};
struct Neu {
  template <class T>
  static bool go(T a, T b) {
    return a != b;
  }
};
struct Ltu {
  template <class T>
  static bool go(T a, T b) {
    return !(a >= b);
  }
};
struct Leu {
  template <class T>
  static bool go(T a, T b) {
    return !(a > b);
  }
};
struct Gtu {
  template <class T>
  static bool go(T a, T b) {
    return !(a <= b);
  }
};
struct Geu {
  template <class T>
  static bool go(T a, T b) {
    return !(a < b);
  }
};
struct Num {
  template <class T>
  static bool go(T a, T b) {
    return a == a && b == b;
  }
};
struct Nan {
  template <class T>
  static bool go(T a, T b) {
    return a != a || b != b;
  }
};

template <class T>
T flushed(T v) {
  return v;
}
float flushed(float v) { return flush(v); }

enum Combine : std::uint8_t { kPlain, kAnd, kOr, kXor };
constexpr std::uint8_t kThirdNegated = 8, kFlushInputs = 16;

std::uint32_t combine(Warp& w, const Inst& in, std::uint32_t bits) {
  if (!(in.flags & 3)) return bits;
  std::uint32_t c = *w.at<std::uint32_t>(in.src[2]);
  if (in.flags & kThirdNegated) c = ~c;
  return (in.flags & 3) == kAnd ? bits & c : (in.flags & 3) == kOr ? bits | c : bits ^ c;
}

template <class T, class F>
std::uint32_t compare(Warp& w, const Inst& in, std::uint32_t m) {
  const T *a = w.at<T>(in.src[0]), *b = w.at<T>(in.src[1]);
  std::uint32_t bits = 0;
  if (in.flags & kFlushInputs) {
    for (std::uint32_t r = m; r; r &= r - 1)
      bits |= std::uint32_t(F::go(flushed(value(a[lowest(r)])), flushed(value(b[lowest(r)])))) << lowest(r);
    return bits;
  }
  for (int i = 0; i < kLanes; ++i) bits |= std::uint32_t(F::go(value(a[i]), value(b[i]))) << i;
  return bits;
}

template <class T, class F>
void setp(Warp& w, const Inst& in, std::uint32_t m) {
  std::uint32_t bits = compare<T, F>(w, in, m);
  std::uint32_t p = combine(w, in, bits), q = combine(w, in, ~bits);
  std::uint32_t& d = *w.at<std::uint32_t>(in.dst[0]);
  d = (d & ~m) | (p & m);
  if (in.dst[1] == kNoRef) return;
  std::uint32_t& e = *w.at<std::uint32_t>(in.dst[1]);
  e = (e & ~m) | (q & m);
}
template <class T, class F>
void set(Warp& w, const Inst& in, std::uint32_t m) {
  std::uint32_t bits = combine(w, in, compare<T, F>(w, in, m));
  std::uint32_t* d = w.at<std::uint32_t>(in.dst[0]);
  std::uint32_t yes = std::uint32_t(in.imm);
  for_lanes(m, [=](int i) { d[i] = bits >> i & 1 ? yes : 0; });
}

// Of halves: a 16-bit result, or two of them from a pair.
template <class T, class F>
void set_half(Warp& w, const Inst& in, std::uint32_t m) {
  std::uint32_t bits = combine(w, in, compare<T, F>(w, in, m));
  std::uint16_t* d = w.at<std::uint16_t>(in.dst[0]);
  for_lanes(m, [=](int i) { d[i] = bits >> i & 1 ? std::uint16_t(in.imm) : 0; });
}
template <class T, class F>
void set_pair(Warp& w, const Inst& in, std::uint32_t m) {
  std::uint32_t* d = w.at<std::uint32_t>(in.dst[0]);
  const std::uint32_t *a = w.at<std::uint32_t>(in.src[0]), *b = w.at<std::uint32_t>(in.src[1]);
  auto one = [&](std::uint32_t x, std::uint32_t y) {
    return F::go(value(T{std::uint16_t(x)}), value(T{std::uint16_t(y)})) ? std::uint32_t(in.imm) & 0xffff : 0;
  };
  for_lanes(m, [=](int i) { d[i] = one(a[i], b[i]) | one(a[i] >> 16, b[i] >> 16) << 16; });
}

enum class Shape { predicate, word, half, pair };
template <class T, class F>
Handler pick_shape(Shape s) {
  if constexpr (std::is_class_v<T>) {
    if (s == Shape::half) return set_half<T, F>;
    if (s == Shape::pair) return set_pair<T, F>;
  }
  return s == Shape::predicate ? Handler(setp<T, F>) : s == Shape::word ? Handler(set<T, F>) : nullptr;
}

template <class T>
Handler pick_compare(std::string_view op, Shape shape) {
#define PTXRUN_CMP(name, F) \
  if (op == name) return pick_shape<T, F>(shape)
  PTXRUN_CMP("eq", Eq);
  PTXRUN_CMP("lt", Lt);
  PTXRUN_CMP("le", Le);
  PTXRUN_CMP("gt", Gt);
  PTXRUN_CMP("ge", Ge);
  PTXRUN_CMP("ne", Ne);
  if constexpr (std::is_integral_v<T>) {
    PTXRUN_CMP("lo", Lt);
    PTXRUN_CMP("ls", Le);
    PTXRUN_CMP("hi", Gt);
    PTXRUN_CMP("hs", Ge);
  } else {
    PTXRUN_CMP("equ", Equ);
    PTXRUN_CMP("neu", Neu);
    PTXRUN_CMP("ltu", Ltu);
    PTXRUN_CMP("leu", Leu);
    PTXRUN_CMP("gtu", Gtu);
    PTXRUN_CMP("geu", Geu);
    PTXRUN_CMP("num", Num);
    PTXRUN_CMP("nan", Nan);
  }
#undef PTXRUN_CMP
  return nullptr;
}

Handler pick(Type t, std::string_view op, Shape shape) {
  switch (t) {
    case Type::b16:
    case Type::u16:
      return pick_compare<std::uint16_t>(op, shape);
    case Type::b32:
    case Type::u32:
      return pick_compare<std::uint32_t>(op, shape);
    case Type::b64:
    case Type::u64:
      return pick_compare<std::uint64_t>(op, shape);
    case Type::s16:
      return pick_compare<std::int16_t>(op, shape);
    case Type::s32:
      return pick_compare<std::int32_t>(op, shape);
    case Type::s64:
      return pick_compare<std::int64_t>(op, shape);
    case Type::f32:
      return pick_compare<float>(op, shape);
    case Type::f64:
      return pick_compare<double>(op, shape);
    case Type::f16:
      return pick_compare<F16>(op, shape);
    case Type::bf16:
      return pick_compare<Bf16>(op, shape);
    default:
      return nullptr;
  }
}

void decode_setp(Decode& d) {
  Type t = d.take_type();
  bool whole = d.base == "set";
  Type result = whole ? d.take_type() : Type::pred;
  Shape shape = !whole ? Shape::predicate : size_of(result) == 2 ? Shape::half : Shape::word;
  Type element = t;
  if (t == Type::f16x2 || t == Type::bf16x2) {
    if (!whole || size_of(result) != 4) d.unsupported();
    element = t == Type::f16x2 ? Type::f16 : Type::bf16;
    shape = Shape::pair;
  } else if (size_of(result) > 4)
    d.unsupported();
  if (d.take("ftz")) d.in.flags |= kFlushInputs;
  if (d.mods.empty()) d.unsupported();
  std::string_view op = d.mods.front();
  d.mods.erase(d.mods.begin());
  std::string_view boolean = d.take_of({"and", "or", "xor"});
  d.dst(0, result);
  if (!whole && !d.op(0).pair.empty()) {
    Operand q;
    q.name = d.op(0).pair;
    d.in.dst[1] = d.target(q, Type::pred);
  }
  d.src(1, t, 0);
  d.src(2, t, 1);
  if (!boolean.empty()) {
    d.in.flags |= boolean == "and" ? kAnd : boolean == "or" ? kOr : kXor;
    d.negation_handled = true;
    d.src(3, Type::pred, 2);
    if (d.op(3).negated) d.in.flags |= kThirdNegated;
  }
  bool f16 = result == Type::f16 || result == Type::f16x2, bf16 = result == Type::bf16 || result == Type::bf16x2;
  d.in.imm = result == Type::f32 ? 0x3f800000 : f16 ? 0x3c00 : bf16 ? 0x3f80 : 0xffffffff;
  if (shape == Shape::pair && !boolean.empty()) d.unsupported();
  finish(d, pick(element, op, shape), is_float(t) ? Class::floating : Class::integer);
}

template <class T>
void selp(Warp& w, const Inst& in, std::uint32_t m) {
  T* d = w.at<T>(in.dst[0]);
  const T *a = w.at<T>(in.src[0]), *b = w.at<T>(in.src[1]);
  std::uint32_t p = *w.at<std::uint32_t>(in.src[2]);
  for_lanes(m, [=](int i) { d[i] = p >> i & 1 ? a[i] : b[i]; });
}
void decode_selp(Decode& d) {
  Type t = d.take_type();
  operands(d, t, 2);
  d.src(3, Type::pred, 2);
  unsigned n = size_of(t);
  finish(d,
         n == 2   ? Handler(selp<std::uint16_t>)
         : n == 4 ? Handler(selp<std::uint32_t>)
         : n == 8 ? Handler(selp<std::uint64_t>)
                  : nullptr,
         Class::integer);
}

template <class T, class C>
void slct(Warp& w, const Inst& in, std::uint32_t m) {
  T* d = w.at<T>(in.dst[0]);
  const T *a = w.at<T>(in.src[0]), *b = w.at<T>(in.src[1]);
  const C* c = w.at<C>(in.src[2]);
  for_lanes(m, [=](int i) { d[i] = c[i] >= 0 ? a[i] : b[i]; });
}
void decode_slct(Decode& d) {
  Type c = d.take_type(), t = d.take_type();
  operands(d, t, 2);
  d.src(3, c, 2);
  bool f = c == Type::f32;
  unsigned n = size_of(t);
  finish(d,
         n == 4   ? (f ? Handler(slct<std::uint32_t, float>) : Handler(slct<std::uint32_t, std::int32_t>))
         : n == 8 ? (f ? Handler(slct<std::uint64_t, float>) : Handler(slct<std::uint64_t, std::int32_t>))
                  : nullptr,
         Class::integer);
}

}  // namespace

void add_compare_decoders(DecoderTable& t) {
  t["setp"] = t["set"] = decode_setp;
  t["selp"] = decode_selp;
  t["slct"] = decode_slct;
}

}  // namespace ptxrun
