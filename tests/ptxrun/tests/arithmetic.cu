// Each instruction on special and random values, compared bit by bit with the host.
#include "tests/ptxrun/tests/arithmetic.hpp"

#define PER_INT(T, U, W)                                                              \
  BIN(T, T, T, "add." #T, U(a) + U(b));                                               \
  BIN(T, T, T, "sub." #T, U(a) - U(b));                                               \
  BIN(T, T, T, "mul.lo." #T, U(U(a) * W(b)));                                         \
  BIN(T, T, T, "mul.hi." #T, (i128(a) * i128(b)) >> (8 * sizeof(T)));                 \
  BIN(T, T, T, "min." #T, std::min(a, b));                                            \
  BIN(T, T, T, "max." #T, std::max(a, b));                                            \
  BIN(T, T, T, "div." #T, b == 0 ? T(~T(0)) : T(i128(a) / i128(b)));                  \
  BIN(T, T, T, "rem." #T, b == 0 ? a : T(i128(a) % i128(b)));                         \
  BIN(T, T, u32, "shr." #T, b >= 8 * sizeof(T) ? (a < 0 ? T(-1) : T(0)) : T(a >> b)); \
  TER(T, T, T, T, "mad.lo." #T, U(U(a) * W(b)) + U(c));                               \
  TER(T, T, T, T, "sad." #T, U(c) + U(a < b ? U(b) - U(a) : U(a) - U(b)))

u64 field(u64 a, u32 pos, u32 len, int bits, bool sign) {  // bfe as the PTX manual writes it
  pos &= 255;
  len &= 255;
  int msb = bits - 1;
  bool s = sign && len ? a >> std::min<int>(int(pos + len) - 1, msb) & 1 : false;
  u64 d = 0;
  for (int i = 0; i <= msb; ++i) d |= u64(u32(i) < len && int(pos) + i <= msb ? a >> (pos + u32(i)) & 1 : s) << i;
  return d;
}
u32 permute(u32 a, u32 b, u32 c) {
  u32 r = 0;
  for (int i = 0; i < 4; ++i) {
    u32 s = c >> 4 * i & 15, v = u32((u64(b) << 32 | a) >> 8 * (s & 7)) & 255;
    r |= (s & 8 ? (v & 128 ? 255u : 0u) : v) << 8 * i;
  }
  return r;
}

// ---- integers
PER_INT(u16, u32, u32);
PER_INT(s16, u32, u32);
PER_INT(u32, u32, u32);
PER_INT(s32, u32, u32);
PER_INT(u64, u64, u64);
PER_INT(s64, u64, u64);
BIN(u32, u16, u16, "mul.wide.u16", u32(a) * b);
BIN(s32, s16, s16, "mul.wide.s16", s32(a) * b);
BIN(u64, u32, u32, "mul.wide.u32", u64(a) * b);
BIN(s64, s32, s32, "mul.wide.s32", s64(a) * b);
TER(u64, u32, u32, u64, "mad.wide.u32", u64(a) * b + c);
TER(s32, s32, s32, s32, "mad.hi.s32", u32(u64(s64(a) * b) >> 32) + u32(c));
BIN(s32, s32, s32, "add.sat.s32", std::clamp<s64>(s64(a) + b, INT32_MIN, INT32_MAX));
BIN(s32, s32, s32, "sub.sat.s32", std::clamp<s64>(s64(a) - b, INT32_MIN, INT32_MAX));
UN(s32, s32, "neg.s32", 0u - u32(a));
UN(s64, s64, "abs.s64", a < 0 ? s64(0 - u64(a)) : a);
UN(u32, u32, "popc.b32", __builtin_popcount(a));
UN(u32, u64, "popc.b64", __builtin_popcountll(a));
UN(u32, u64, "clz.b64", a ? __builtin_clzll(a) : 64);
UN(u32, u32, "brev.b32", [&] {
  u32 r = 0;
  for (int i = 0; i < 32; ++i) r |= (a >> i & 1) << (31 - i);
  return r;
}());
UN(u32, s32, "bfind.s32", [&] {
  u32 v = a < 0 ? ~a : a;
  return v ? 31 - __builtin_clz(v) : ~0u;
}());
UN(u32, u64, "bfind.shiftamt.u64", a ? __builtin_clzll(a) : ~0u);
BIN(u32, u32, u32, "shl.b32", b > 31 ? 0 : a << b);
BIN(u64, u64, u32, "shl.b64", b > 63 ? 0 : a << b);
BIN(u32, u32, u32, "xor.b32", a ^ b);
BIN(u64, u64, u64, "and.b64", a& b);
UN(u16, u16, "not.b16", ~a);
TER(u32, u32, u32, u32, "lop3.b32 %0, %1, %2, %3, 0x96; //", a ^ b ^ c);
TER(u32, u32, u32, u32, "lop3.b32 %0, %1, %2, %3, 0xe2; //", (b & a) | (~b & c));
TER(u32, u32, u32, u32, "shf.l.wrap.b32", u32((u64(b) << 32 | a) << (c & 31) >> 32));
TER(u32, u32, u32, u32, "shf.r.clamp.b32", u32((u64(b) << 32 | a) >> std::min(c, 32u)));
TER(u32, u32, u32, u32, "prmt.b32", permute(a, b, c));
TER(u32, u32, u32, u32, "dp4a.u32.u32", [&] {
  u32 s = c;
  for (int i = 0; i < 32; i += 8) s += (a >> i & 255) * (b >> i & 255);
  return s;
}());
TER(u32, u32, u32, u32, "bfe.u32", field(a, b, c, 32, false));
TER(s32, s32, u32, u32, "bfe.s32", field(u32(a), b, c, 32, true));
TER(u64, u64, u32, u32, "bfe.u64", field(a, b, c, 64, false));
TER(s64, s64, u32, u32, "bfe.s64", field(u64(a), b, c, 64, true));
TER(u32, u32, u32, u32, "{ .reg .u32 x; and.b32 x, %3, 15; bfi.b32 %0, %1, %2, x, 9; } //", [&] {
  u32 m = 511u << (c & 15);
  return (b & ~m) | ((a << (c & 15)) & m);
}());
TER(u32, u32, u32, u32, "{ .reg .u32 x; add.cc.u32 x, %1, %2; addc.u32 %0, %3, 0; } //", u32(((u64(a) + b) >> 32) + c));
TER(u32, u32, u32, u32, "{ .reg .u32 x; sub.cc.u32 x, %1, %2; subc.u32 %0, %3, 0; } //", c - (a < b));
BIN(u32, u32, u32, "bmsk.clamp.b32", b >= 32 ? (a >= 32 ? 0 : ~0u << a) : a >= 32 ? 0 : ((1u << b) - 1) << a);

#define ROUNDED(T, R, M)                                                                               \
  BIN(T, T, T, "add." R "." #T, rounded(M, [&] { return vol(vol(a) + vol(b)); }));                     \
  BIN(T, T, T, "sub." R "." #T, rounded(M, [&] { return vol(vol(a) - vol(b)); }));                     \
  BIN(T, T, T, "mul." R "." #T, rounded(M, [&] { return vol(vol(a) * vol(b)); }));                     \
  BIN(T, T, T, "div." R "." #T, rounded(M, [&] { return vol(vol(a) / vol(b)); }));                     \
  TER(T, T, T, T, "fma." R "." #T, rounded(M, [&] { return vol(std::fma(vol(a), vol(b), vol(c))); })); \
  UN(T, T, "sqrt." R "." #T, rounded(M, [&] { return vol(std::sqrt(vol(a))); }));                      \
  UN(T, T, "rcp." R "." #T, rounded(M, [&] { return vol(T(1) / vol(a)); }))
#define PER_FLOAT(T)                  \
  ROUNDED(T, "rn", FE_TONEAREST);     \
  ROUNDED(T, "rz", FE_TOWARDZERO);    \
  ROUNDED(T, "rm", FE_DOWNWARD);      \
  ROUNDED(T, "rp", FE_UPWARD);        \
  BIN(T, T, T, "min." #T, low(a, b)); \
  BIN(T, T, T, "max." #T, high(a, b))

// ---- floats
PER_FLOAT(f32);
PER_FLOAT(f64);
BIN(f32, f32, f32, "add.ftz.f32", sub_zero(sub_zero(a) + sub_zero(b)));
BIN(f32, f32, f32, "mul.ftz.sat.f32", clamp01(sub_zero(sub_zero(a) * sub_zero(b))));
BIN(f32, f32, f32, "add.sat.f32", clamp01(a + b));
BIN(f32, f32, f32, "min.NaN.f32", a != a || b != b ? NAN : low(a, b));
BIN(u32, f32, f32, "{ .reg .pred p; setp.lt.f32 p, %1, %2; selp.u32 %0, 1, 0, p; } //", a < b);
BIN(u32, f32, f32, "{ .reg .pred p; setp.geu.f32 p, %1, %2; selp.u32 %0, 1, 0, p; } //", !(a < b));
BIN(u32, f32, f32, "{ .reg .pred p; setp.ne.f32 p, %1, %2; selp.u32 %0, 1, 0, p; } //", a == a && b == b && a != b);
BIN(u32, f64, f64, "{ .reg .pred p; setp.neu.f64 p, %1, %2; selp.u32 %0, 1, 0, p; } //", a != b);
BIN(u32, f32, f32, "{ .reg .pred p; setp.nan.f32 p, %1, %2; selp.u32 %0, 1, 0, p; } //", a != a || b != b);
BIN(u32, u32, u32, "{ .reg .pred p, q; setp.lt.u32 p|q, %1, %2; selp.u32 %0, 1, 2, q; } //", a < b ? 2 : 1);
BIN(u32, s32, s32, "{ .reg .pred p, q; setp.lt.s32 p, %1, 5; setp.gt.and.s32 q, %2, %1, !p; selp.u32 %0, 1, 2, q; } //",
    b > a && a >= 5 ? 1 : 2);

// ---- conversions
template <class T, class F>
T to_integer(F v, F (*round)(F)) {
  constexpr int bits = 8 * sizeof(T);
  if (v != v) return std::is_same_v<F, double> || bits == 64 ? T(u64(1) << (bits - 1)) : T(0);
  long double r = round(v), lo = std::numeric_limits<T>::min(), hi = std::numeric_limits<T>::max();
  return r < lo ? std::numeric_limits<T>::min() : r > hi ? std::numeric_limits<T>::max() : T(r);
}
#define TO_INT(T, F)                                                     \
  UN(T, F, "cvt.rni." #T "." #F, (to_integer<T, F>(a, std::nearbyint))); \
  UN(T, F, "cvt.rzi." #T "." #F, (to_integer<T, F>(a, std::trunc)));     \
  UN(T, F, "cvt.rmi." #T "." #F, (to_integer<T, F>(a, std::floor)));     \
  UN(T, F, "cvt.rpi." #T "." #F, (to_integer<T, F>(a, std::ceil)))
#define TO_FLOAT(F, T)                                                                   \
  UN(F, T, "cvt.rn." #F "." #T, rounded(FE_TONEAREST, [&] { return vol(F(vol(a))); }));  \
  UN(F, T, "cvt.rz." #F "." #T, rounded(FE_TOWARDZERO, [&] { return vol(F(vol(a))); })); \
  UN(F, T, "cvt.rp." #F "." #T, rounded(FE_UPWARD, [&] { return vol(F(vol(a))); }))

// The nearest of all 65536 values of a 16-bit format, ties to the even pattern.
template <float (*decode)(u16)>
u16 nearest(long double v, u16 infinity) {
  u16 sign = std::signbit(v) ? 0x8000 : 0;
  if (v != v) return 0x7fff;
  long double m = std::fabs(v);
  u16 lo = 0, hi = infinity;  // by bisection; infinity stands for the next power
  while (hi - lo > 1) {
    u16 mid = u16((lo + hi) / 2);
    (decode(mid) <= m ? lo : hi) = mid;
  }
  long double a = decode(lo), b = hi == infinity ? a + (a - decode(u16(lo - 1))) : decode(hi);
  if (std::isinf(v)) return sign | infinity;
  return sign | (m - a < b - m ? lo : m - a > b - m ? hi : lo & 1 ? hi : lo);
}
float half_value(u16 h) {
  if ((h & 0x7c00) == 0x7c00) return h & 0x3ff ? NAN : h & 0x8000 ? -INFINITY : INFINITY;
  float m = std::ldexp(float(h & 0x3ff) + (h & 0x7c00 ? 1024 : 0), std::max(h >> 10 & 31, 1) - 25);
  return h & 0x8000 ? -m : m;
}
float bf16_value(u16 h) { return std::bit_cast<float>(u32(h) << 16); }
u16 to_half(long double v) { return nearest<half_value>(v, 0x7c00); }
u16 to_bf16(long double v) { return nearest<bf16_value>(v, 0x7f80); }

u16 half_fma(u16 a, u16 b, u16 c) {  // exact in units of 2^-48
  i128 s = i128(half_value(a) * 0x1p24) * i128(half_value(b) * 0x1p24) + i128(half_value(c) * 0x1p24) * (i128(1) << 24);
  bool negative_zero = s == 0 && (((a ^ b) & c) & 0x8000);
  return negative_zero ? 0x8000 : to_half((long double)(s)*0x1p-48L);  // 64 bits: what is lost is far from a tie
}

TO_INT(s32, f32);
TO_INT(u32, f32);
TO_INT(s64, f32);
TO_INT(u64, f32);
TO_INT(s32, f64);
TO_INT(u32, f64);
TO_INT(s64, f64);
TO_INT(u64, f64);
TO_FLOAT(f32, s32);
TO_FLOAT(f32, u32);
TO_FLOAT(f32, s64);
TO_FLOAT(f32, u64);
TO_FLOAT(f64, s64);
TO_FLOAT(f64, u64);
TO_FLOAT(f32, f64);
UN(f64, f32, "cvt.f64.f32", a);
UN(f32, f32, "cvt.rni.f32.f32", std::nearbyint(a));
UN(f32, f32, "cvt.rpi.f32.f32", std::ceil(a));
UN(f32, f32, "cvt.sat.f32.f32", clamp01(a));
UN(s32, s32, "cvt.s32.s8", s32(int8_t(a)));
UN(s32, s32, "cvt.sat.s8.s32", std::clamp(a, -128, 127));
UN(u32, s32, "cvt.sat.u8.s32", std::clamp(a, 0, 255));
UN(s64, s32, "cvt.s64.s32", a);
UN(u64, u32, "cvt.u64.u32", a);
UN(u32, u64, "cvt.u32.u64", a);
UN(u32, u16, "cvt.u32.u16", a);
UN(s32, s64, "cvt.sat.s32.s64", std::clamp<s64>(a, INT32_MIN, INT32_MAX));
UN(u16, f32, "cvt.rn.f16.f32", to_half(a));
UN(u16, f32, "cvt.rn.bf16.f32", to_bf16(a));
UN(u16, s32, "cvt.rn.f16.s32", to_half(a));
BIN(u32, f32, f32, "cvt.rn.f16x2.f32", u32(to_half(a)) << 16 | to_half(b));
BIN(u32, f32, f32, "cvt.rn.bf16x2.f32", u32(to_bf16(a)) << 16 | to_bf16(b));
UN(f32, u16, "cvt.f32.f16", half_value(a));
UN(f32, u16, "cvt.f32.bf16", bf16_value(a));
BIN(u16, u16, u16, "add.f16", to_half((long double)(half_value(a)) + half_value(b)));
BIN(u16, u16, u16, "mul.f16", to_half((long double)(half_value(a)) * half_value(b)));
BIN(u16, u16, u16, "mul.bf16", to_bf16((long double)(bf16_value(a)) * bf16_value(b)));
TER(u16, u16, u16, u16, "fma.rn.f16", half_fma(a, b, c));

int main() {
  for (auto run : runs()) run();
  check(failures() == 0, std::to_string(checked) + " instruction variants");
  return failures() != 0;
}
