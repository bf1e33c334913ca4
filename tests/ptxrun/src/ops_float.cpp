// f32 and f64 arithmetic. Built with -ffp-contract=off: only fma fuses.
#include "tests/ptxrun/src/number.hpp"
#include "tests/ptxrun/src/ops.hpp"

namespace ptxrun {

void decode_half_arithmetic(Decode& d, Type t);
void decode_approximate_half(Decode& d, Type t);

namespace {

struct Add {
  template <class T>
  static T go(T a, T b) {
    return a + b;
  }
};
struct Sub {
  template <class T>
  static T go(T a, T b) {
    return a - b;
  }
};
struct Mul {
  template <class T>
  static T go(T a, T b) {
    return a * b;
  }
};
struct Div {
  template <class T>
  static T go(T a, T b) {
    return a / b;
  }
};
struct Fma {
  template <class T>
  static T go(T a, T b, T c) {
    return std::fma(a, b, c);
  }
};
struct Sqrt {
  template <class T>
  static T go(T a) {
    return std::sqrt(a);
  }
};
struct Rcp {
  template <class T>
  static T go(T a) {
    return T(1) / a;
  }
};
struct Rsqrt {
  template <class T>
  static T go(T a) {
    return T(1.0 / std::sqrt(double(a)));
  }
};
struct Ex2 {
  template <class T>
  static T go(T a) {
    return T(std::exp2(double(a)));
  }
};
struct Lg2 {
  template <class T>
  static T go(T a) {
    return T(std::log2(double(a)));
  }
};
struct Sin {
  template <class T>
  static T go(T a) {
    return T(std::sin(double(a)));
  }
};
struct Cos {
  template <class T>
  static T go(T a) {
    return T(std::cos(double(a)));
  }
};
struct Tanh {
  template <class T>
  static T go(T a) {
    return T(std::tanh(double(a)));
  }
};
// One NaN gives the other operand; -0 is below +0.
struct Min {
  template <class T>
  static T go(T a, T b) {
    if (a != a) return b;
    if (b != b) return a;
    return a < b || (a == b && std::signbit(a)) ? a : b;
  }
};
struct Max {
  template <class T>
  static T go(T a, T b) {
    if (a != a) return b;
    if (b != b) return a;
    return a > b || (a == b && !std::signbit(a)) ? a : b;
  }
};
template <class F>
struct NanWins {
  template <class T>
  static T go(T a, T b) {
    return a != a ? a : b != b ? b : F::go(a, b);
  }
};
struct Neg {
  template <class T>
  static T go(T a) {
    return -a;
  }
};
struct Abs {
  template <class T>
  static T go(T a) {
    return std::fabs(a);
  }
};
struct CopySign {
  template <class T>
  static T go(T a, T b) {
    return std::copysign(b, a);
  }
};

// An operation with flushing, saturation and the canonical NaN around it.
template <class F, bool kFlush, bool kSat>
struct Dressed {
  template <class T>
  static T in(T v) {
    return kFlush ? flush(v) : v;
  }
  template <class T>
  static T out(T r) {
    r = kSat ? saturate(r) : canonical(r);
    return kFlush ? flush(r) : r;
  }
  template <class T>
  static T go(T a) {
    return out(F::go(in(a)));
  }
  template <class T>
  static T go(T a, T b) {
    return out(F::go(in(a), in(b)));
  }
  template <class T>
  static T go(T a, T b, T c) {
    return out(F::go(in(a), in(b), in(c)));
  }
};
// With a rounding mode set around each operation, and volatile so that nothing moves out of it.
template <class F>
struct Directed {
  template <class T>
  static T go(Round r, T a) {
    Rounding mode(r);
    volatile T x = a;
    volatile T y = F::go(T(x));
    return y;
  }
  template <class T>
  static T go(Round r, T a, T b) {
    Rounding mode(r);
    volatile T x = a, y = b;
    volatile T z = F::go(T(x), T(y));
    return z;
  }
  template <class T>
  static T go(Round r, T a, T b, T c) {
    Rounding mode(r);
    volatile T x = a, y = b, z = c;
    volatile T v = F::go(T(x), T(y), T(z));
    return v;
  }
};

constexpr int kFlushBit = 1, kSatBit = 2;

template <class T, class F, int kArgs>
void directed(Warp& w, const Inst& in, std::uint32_t m) {
  Round r = Round(in.imm & 7);
  bool ftz = in.imm & 8, sat = in.imm & 16;
  T* d = w.at<T>(in.dst[0]);
  const T* s[3];
  for (int k = 0; k < kArgs; ++k) s[k] = w.at<T>(in.src[k]);
  for (; m; m &= m - 1) {
    int i = lowest(m);
    auto arg = [&](int k) { return ftz ? flush(s[k][i]) : s[k][i]; };
    T v;
    if constexpr (kArgs == 1)
      v = Directed<F>::go(r, arg(0));
    else if constexpr (kArgs == 2)
      v = Directed<F>::go(r, arg(0), arg(1));
    else
      v = Directed<F>::go(r, arg(0), arg(1), arg(2));
    v = sat ? saturate(v) : canonical(v);
    d[i] = ftz ? flush(v) : v;
  }
}

template <class T, class F, int kArgs>
Handler shape() {
  if constexpr (kArgs == 1)
    return unary<T, F>;
  else if constexpr (kArgs == 2)
    return binary<T, F>;
  else
    return ternary<T, F>;
}

Round take_rounding(Decode& d) {
  std::string_view r = d.take_of({"rn", "rz", "rm", "rp"});
  return r == "rz" ? Round::zero : r == "rm" ? Round::down : r == "rp" ? Round::up : Round::nearest;
}

template <class F, int kArgs>
void decode_rounded(Decode& d, Type t) {
  Round r = take_rounding(d);
  bool ftz = d.take("ftz"), sat = d.take("sat");
  operands(d, t, kArgs);
  Handler h = nullptr;
  if (r != Round::nearest) {
    d.in.imm = int(r) | ftz << 3 | sat << 4;
    h = t == Type::f32 ? Handler(directed<float, F, kArgs>) : Handler(directed<double, F, kArgs>);
  } else if (t == Type::f64)
    h = shape<double, Dressed<F, false, false>, kArgs>();
  else if (!ftz && !sat)
    h = shape<float, Dressed<F, false, false>, kArgs>();
  else if (!sat)
    h = shape<float, Dressed<F, true, false>, kArgs>();
  else if (!ftz)
    h = shape<float, Dressed<F, false, true>, kArgs>();
  else
    h = shape<float, Dressed<F, true, true>, kArgs>();
  if (t != Type::f32 && t != Type::f64) d.unsupported();
  finish(d, h, Class::floating);
}

template <class F, int kArgs>
void decode_approximate(Decode& d, Type t) {
  if (t != Type::f32 && t != Type::f64) return decode_approximate_half(d, t);
  d.b.program.approximate = true;
  d.take("rn");
  decode_rounded<F, kArgs>(d, t);
}

template <class F>
void decode_sign(Decode& d, Type t) {  // neg, abs: NaNs keep their bits
  bool ftz = d.take("ftz");
  operands(d, t, 1);
  struct Flushed {
    static float go(float a) { return F::go(flush(a)); }
  };
  finish(d,
         t == Type::f64 ? Handler(unary<double, F>)
         : ftz          ? Handler(unary<float, Flushed>)
                        : Handler(unary<float, F>),
         Class::floating);
}

template <class F>
void decode_extreme(Decode& d, Type t) {
  bool nan = d.take("NaN"), ftz = d.take("ftz");
  operands(d, t, 2);
  using Plain = Dressed<F, false, false>;
  using Nan = Dressed<NanWins<F>, false, false>;
  if (t == Type::f64) return finish(d, binary<double, Plain>, Class::floating);
  finish(d,
         nan ? (ftz ? Handler(binary<float, Dressed<NanWins<F>, true, false>>) : Handler(binary<float, Nan>))
             : (ftz ? Handler(binary<float, Dressed<F, true, false>>) : Handler(binary<float, Plain>)),
         Class::floating);
}

void decode_sqrt(Decode& d) {
  Type t = d.take_type();
  d.take("approx") ? decode_approximate<Sqrt, 1>(d, t) : decode_rounded<Sqrt, 1>(d, t);
}
void decode_rcp(Decode& d) {
  Type t = d.take_type();
  d.take("approx") ? decode_approximate<Rcp, 1>(d, t) : decode_rounded<Rcp, 1>(d, t);
}
void decode_div(Decode& d, Type t) {
  d.take_any({"approx", "full"}) ? decode_approximate<Div, 2>(d, t) : decode_rounded<Div, 2>(d, t);
}
template <class F>
void decode_special(Decode& d) {
  Type t = d.take_type();
  if (!d.take("approx")) d.unsupported();
  decode_approximate<F, 1>(d, t);
}
void decode_fma(Decode& d) {
  Type t = d.take_type();
  decode_float_arithmetic(d, t);
}
void decode_copysign(Decode& d) {
  Type t = d.take_type();
  operands(d, t, 2);
  finish(d, t == Type::f64 ? binary<double, CopySign> : binary<float, CopySign>, Class::floating);
}

template <class T>
bool test(T v, std::int64_t what) {
  switch (what) {
    case 0:
      return std::isfinite(v);
    case 1:
      return std::isinf(v);
    case 2:
      return v == v;
    case 3:
      return v != v;
    case 4:
      return std::fpclassify(v) == FP_NORMAL;
    default:
      return std::fpclassify(v) == FP_SUBNORMAL;
  }
}
template <class T>
void testp(Warp& w, const Inst& in, std::uint32_t m) {
  std::uint32_t& d = *w.at<std::uint32_t>(in.dst[0]);
  const T* a = w.at<T>(in.src[0]);
  std::uint32_t bits = 0;
  for (std::uint32_t r = m; r; r &= r - 1) bits |= std::uint32_t(test(a[lowest(r)], in.imm)) << lowest(r);
  d = (d & ~m) | bits;
}
void decode_testp(Decode& d) {
  Type t = d.take_type();
  static constexpr std::string_view names[] = {"finite", "infinite", "number", "notanumber", "normal", "subnormal"};
  for (int k = 0; k < 6; ++k)
    if (d.take(names[k])) d.in.imm = k;
  d.dst(0, Type::pred);
  d.src(1, t, 0);
  finish(d, t == Type::f64 ? testp<double> : testp<float>, Class::floating);
}

}  // namespace

namespace {
// A product and a sum that both leave the rounding open may become one fma in ptxas: the GPU's bits may differ.
void note_contraction(Decode& d) {
  auto& products = d.b.products;
  if (d.base == "mul")
    products.insert(d.in.dst[0]);
  else if (products.count(d.in.src[0]) || products.count(d.in.src[1]))
    ++d.b.program.contractible;
}

void dispatch(Decode& d, Type t) {
  if (t != Type::f32 && t != Type::f64) return decode_half_arithmetic(d, t);
  if (d.base == "add") return decode_rounded<Add, 2>(d, t);
  if (d.base == "sub") return decode_rounded<Sub, 2>(d, t);
  if (d.base == "mul") return decode_rounded<Mul, 2>(d, t);
  if (d.base == "fma" || d.base == "mad") return decode_rounded<Fma, 3>(d, t);
  if (d.base == "div") return decode_div(d, t);
  if (d.base == "min") return decode_extreme<Min>(d, t);
  if (d.base == "max") return decode_extreme<Max>(d, t);
  if (d.base == "neg") return decode_sign<Neg>(d, t);
  if (d.base == "abs") return decode_sign<Abs>(d, t);
  d.unsupported();
}

}  // namespace

void decode_float_arithmetic(Decode& d, Type t) {
  bool open = d.base == "mul" || d.base == "add" || d.base == "sub";
  for (std::string_view m : d.mods) open &= m != "rn" && m != "rz" && m != "rm" && m != "rp";
  dispatch(d, t);
  if (open) note_contraction(d);
}

void add_float_decoders(DecoderTable& t) {
  t["fma"] = decode_fma;
  t["sqrt"] = decode_sqrt;
  t["rcp"] = decode_rcp;
  t["rsqrt"] = decode_special<Rsqrt>;
  t["ex2"] = decode_special<Ex2>;
  t["lg2"] = decode_special<Lg2>;
  t["sin"] = decode_special<Sin>;
  t["cos"] = decode_special<Cos>;
  t["tanh"] = decode_special<Tanh>;
  t["copysign"] = decode_copysign;
  t["testp"] = decode_testp;
}

}  // namespace ptxrun
