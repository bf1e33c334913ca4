// f16, bf16 and their packed pairs: computed in double and rounded once.
#include "tests/ptxrun/src/number.hpp"
#include "tests/ptxrun/src/ops.hpp"

namespace ptxrun {
namespace {

struct F16 {
  static double get(std::uint16_t h) { return decode_f16(h); }
  static std::uint16_t put(double v) { return std::uint16_t(encode(v, kF16, Round::nearest)); }
};
struct Bf16 {
  static double get(std::uint16_t h) { return decode_bf16(h); }
  static std::uint16_t put(double v) { return std::uint16_t(encode(v, kBf16, Round::nearest)); }
};

// Sum whose last bit tells whether it is inexact (round to odd), so that rounding it again gives the right result.
double odd_sum(double a, double b) {
  double s = a + b;
  if (!std::isfinite(s)) return s;
  double bb = s - a, err = (a - (s - bb)) + (b - bb);
  std::uint64_t bits = std::bit_cast<std::uint64_t>(s);
  if (err == 0 || (bits & 1)) return s;
  bool away = (err > 0) == (s > 0);
  return std::bit_cast<double>(away ? bits + 1 : bits - 1);
}

struct Add {
  static double go(double a, double b) { return odd_sum(a, b); }
};
struct Sub {
  static double go(double a, double b) { return odd_sum(a, -b); }
};
struct Mul {
  static double go(double a, double b) { return a * b; }
};
struct Fma {
  static double go(double a, double b, double c) { return odd_sum(a * b, c); }
};
struct FmaRelu {
  static double go(double a, double b, double c) {
    double r = Fma::go(a, b, c);
    return r < 0 ? 0 : r;
  }
};
struct Min {
  static double go(double a, double b) {
    return a != a ? b : b != b ? a : a < b || (a == b && std::signbit(a)) ? a : b;
  }
};
struct Max {
  static double go(double a, double b) {
    return a != a ? b : b != b ? a : a > b || (a == b && !std::signbit(a)) ? a : b;
  }
};
template <class F>
struct NanWins {
  static double go(double a, double b) { return a != a ? a : b != b ? b : F::go(a, b); }
};
template <class F>
struct Saturated {
  template <class... A>
  static double go(A... a) {
    return saturate(F::go(a...));
  }
};
struct Ex2 {
  static double go(double a) { return std::exp2(a); }
};
struct Tanh {
  static double go(double a) { return std::tanh(a); }
};

template <class H, class F>
struct One {
  template <class... A>
  static std::uint16_t go(A... a) {
    return H::put(F::go(H::get(a)...));
  }
};
template <class H, class F>
struct Two {
  template <class... A>
  static std::uint32_t go(A... a) {
    return std::uint32_t(One<H, F>::go(std::uint16_t(a)...)) | std::uint32_t(One<H, F>::go(std::uint16_t(a >> 16)...))
                                                                   << 16;
  }
};
template <std::uint32_t kMask>
struct Flip {
  template <class T>
  static T go(T a) {
    return T(a ^ T(kMask));
  }
};
template <std::uint32_t kMask>
struct Clear {
  template <class T>
  static T go(T a) {
    return T(a & ~T(kMask));
  }
};

template <class F, int kArgs>
void decode_all(Decode& d, Type t) {
  auto pick = [&]<class Op, class T>(Op*, T*) -> Handler {
    if constexpr (kArgs == 1)
      return unary<T, Op>;
    else if constexpr (kArgs == 2)
      return binary<T, Op>;
    else
      return ternary<T, Op>;
  };
  operands(d, t, kArgs);
  std::uint16_t* one = nullptr;
  std::uint32_t* two = nullptr;
  Handler h = nullptr;
  if (t == Type::f16) h = pick(static_cast<One<F16, F>*>(nullptr), one);
  if (t == Type::bf16) h = pick(static_cast<One<Bf16, F>*>(nullptr), one);
  if (t == Type::f16x2) h = pick(static_cast<Two<F16, F>*>(nullptr), two);
  if (t == Type::bf16x2) h = pick(static_cast<Two<Bf16, F>*>(nullptr), two);
  finish(d, h, Class::floating);
}
template <class F, int kArgs>
void decode_sum(Decode& d, Type t) {
  d.take("rn");
  d.take("sat") ? decode_all<Saturated<F>, kArgs>(d, t) : decode_all<F, kArgs>(d, t);
}
template <class F>
void decode_extreme(Decode& d, Type t) {
  d.take("NaN") ? decode_all<NanWins<F>, 2>(d, t) : decode_all<F, 2>(d, t);
}
void decode_sign(Decode& d, Type t, bool negate) {
  operands(d, t, 1);
  bool pair = size_of(t) == 4;
  finish(
      d,
      negate
          ? (pair ? Handler(unary<std::uint32_t, Flip<0x80008000u>>) : Handler(unary<std::uint16_t, Flip<0x8000>>))
          : (pair ? Handler(unary<std::uint32_t, Clear<0x80008000u>>) : Handler(unary<std::uint16_t, Clear<0x8000>>)),
      Class::floating);
}

}  // namespace

void decode_half_arithmetic(Decode& d, Type t) {
  if (d.base == "add") return decode_sum<Add, 2>(d, t);
  if (d.base == "sub") return decode_sum<Sub, 2>(d, t);
  if (d.base == "mul") return decode_sum<Mul, 2>(d, t);
  if (d.base == "fma") return d.take("relu") ? decode_sum<FmaRelu, 3>(d, t) : decode_sum<Fma, 3>(d, t);
  if (d.base == "min") return decode_extreme<Min>(d, t);
  if (d.base == "max") return decode_extreme<Max>(d, t);
  if (d.base == "neg") return decode_sign(d, t, true);
  if (d.base == "abs") return decode_sign(d, t, false);
  d.unsupported();
}

void decode_approximate_half(Decode& d, Type t) {
  d.b.program.approximate = true;
  d.take("ftz");
  if (d.base == "ex2") return decode_all<Ex2, 1>(d, t);
  if (d.base == "tanh") return decode_all<Tanh, 1>(d, t);
  d.unsupported();
}

}  // namespace ptxrun
