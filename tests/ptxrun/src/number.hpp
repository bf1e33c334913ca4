// Number formats: exact conversions with every rounding mode, and the NaN the GPU gives.
#pragma once
#include <bit>
#include <cfenv>
#include <cmath>
#include <cstdint>
#include <limits>

namespace ptxrun {

enum class Round : std::uint8_t { nearest, zero, down, up, away };  // away: nearest, ties away from zero

struct Format {
  int exponent_bits, mantissa_bits;
};
constexpr Format kF16{5, 10}, kBf16{8, 7}, kTf32{8, 10}, kE5m2{5, 2}, kE4m3{4, 3};

inline bool round_up(std::uint64_t q, std::uint64_t rest, std::uint64_t half, bool negative, Round mode) {
  switch (mode) {
    case Round::nearest:
      return rest > half || (rest == half && (q & 1));
    case Round::away:
      return rest >= half;
    case Round::zero:
      return false;
    case Round::down:
      return negative && rest;
    case Round::up:
      return !negative && rest;
  }
  return false;
}

// The bits of v in a format with subnormals and infinities; NaN gives all ones without the sign.
inline std::uint32_t encode(double v, Format f, Round mode) {
  std::uint64_t b = std::bit_cast<std::uint64_t>(v);
  bool negative = b >> 63;
  int width = f.exponent_bits + f.mantissa_bits;
  std::uint32_t sign = std::uint32_t(negative) << width, infinity = ((1u << f.exponent_bits) - 1) << f.mantissa_bits;
  int e = int(b >> 52 & 0x7ff);
  std::uint64_t m = b & ((1ull << 52) - 1);
  if (e == 0x7ff) return m ? (1u << width) - 1 : sign | infinity;
  if (e == 0 && m == 0) return sign;
  if (e)
    m |= 1ull << 52;
  else
    e = 1;
  int target = e - 1023 + (1 << (f.exponent_bits - 1)) - 1, shift = 52 - f.mantissa_bits;
  if (target <= 0) {
    shift += 1 - target;
    target = 1;
  }
  if (shift > 60) {
    shift = 60;
    m = 1;
  }  // far below the least subnormal: only whether it is not zero matters
  std::uint64_t q = m >> shift, rest = m & ((1ull << shift) - 1);
  q += round_up(q, rest, 1ull << (shift - 1), negative, mode);
  std::uint64_t r = (std::uint64_t(target - 1) << f.mantissa_bits) + q;
  if (r >= infinity) {
    bool to_infinity = mode == Round::nearest || mode == Round::away || mode == (negative ? Round::down : Round::up);
    r = to_infinity ? infinity : infinity - 1;
  }
  return sign | std::uint32_t(r);
}

inline float decode_f16(std::uint16_t h) {
  std::uint32_t sign = std::uint32_t(h & 0x8000) << 16, e = h >> 10 & 31, m = h & 0x3ff;
  if (e == 31) return std::bit_cast<float>(sign | 0x7f800000 | m << 13);
  if (e) return std::bit_cast<float>(sign | (e + 112) << 23 | m << 13);
  float v = float(m) * 0x1p-24f;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(v) | sign);
}
inline float decode_bf16(std::uint16_t h) { return std::bit_cast<float>(std::uint32_t(h) << 16); }
inline float decode_e5m2(std::uint8_t v) { return decode_f16(std::uint16_t(v << 8)); }
inline float decode_e4m3(std::uint8_t v) {
  if ((v & 0x7f) == 0x7f) return std::numeric_limits<float>::quiet_NaN();
  int e = v >> 3 & 15, m = v & 7;
  float r = e ? std::ldexp(float(8 + m), e - 10) : std::ldexp(float(m), -9);
  return v & 0x80 ? -r : r;
}
inline std::uint8_t encode_e4m3(double v) {  // saturating; no infinities
  if (v != v) return 0x7f;
  std::uint8_t sign = std::signbit(v) ? 0x80 : 0;
  double a = std::fabs(v);
  if (a >= 448) return sign | 0x7e;
  double step = a < 0x1p-6 ? 0x1p-9 : std::ldexp(1.0, std::ilogb(a) - 3);
  double q = std::nearbyint(a / step) * step;
  if (q < 0x1p-6) return std::uint8_t(sign | int(q * 512));
  int e = std::ilogb(q);
  return std::uint8_t(sign | (e + 7) << 3 | (int(std::ldexp(q, 3 - e)) & 7));
}

constexpr float kNan = std::bit_cast<float>(0x7fffffffu);
inline float canonical(float r) { return r != r ? kNan : r; }
inline double canonical(double r) { return r; }  // payloads of double NaNs: as the host

// Subnormals to zero, the sign kept.
inline float flush(float v) {
  return std::fabs(v) < 0x1p-126f ? std::bit_cast<float>(std::bit_cast<std::uint32_t>(v) & 0x80000000u) : v;
}
inline double flush(double v) { return v; }
template <class T>
inline T saturate(T v) {
  return v > T(0) ? (v < T(1) ? v : T(1)) : T(0);
}  // NaN gives 0

class Rounding {  // the host's mode, for a while
 public:
  explicit Rounding(Round r) : before_(std::fegetround()) {
    std::fesetround(r == Round::zero   ? FE_TOWARDZERO
                    : r == Round::down ? FE_DOWNWARD
                    : r == Round::up   ? FE_UPWARD
                                       : FE_TONEAREST);
  }
  ~Rounding() { std::fesetround(before_); }

 private:
  int before_;
};

}  // namespace ptxrun
