// How arithmetic.cu compares an instruction with the host: operands, one kernel for each instruction, macros that
// declare them. The references are computed in ways of their own (wider types, searches), not by the code of the tool.
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <algorithm>
#include <bit>
#include <cfenv>
#include <cmath>
#include "tests/ptxrun/tests/support.hpp"

template <class T>
std::vector<T> samples(unsigned seed);
template <class T>
std::vector<T> integers(unsigned seed) {
  std::mt19937_64 r(seed);
  std::vector<T> v = {0,  1,  2,  3,  T(~T(0)), T(T(1) << (8 * sizeof(T) - 1)), T((T(1) << (8 * sizeof(T) - 1)) - 1),
                      31, 32, 33, 63, 64};
  while (v.size() < 64) v.push_back(T(r() >> (r() % 60)));
  return v;
}
template <class T, class Bits>
std::vector<T> floats(unsigned seed, std::vector<double> special) {
  std::mt19937_64 r(seed);
  std::vector<T> v;
  for (double x : special) {
    v.push_back(T(x));
    v.push_back(T(-x));
  }
  while (v.size() < 96) {
    if (v.size() % 2) {
      v.push_back(std::bit_cast<T>(Bits(r())));
      continue;
    }
    v.push_back(T(std::ldexp(double(int64_t(r())), -62 + int(r() % 8))));
  }
  return v;
}
template <>
std::vector<uint16_t> samples(unsigned s) {  // also taken as halves: no infinities and NaNs
  std::vector<uint16_t> v = integers<uint16_t>(s);
  std::mt19937 r(s);
  while (v.size() < 200) v.push_back(uint16_t(r()));
  for (uint16_t& h : v)
    if ((h & 0x7c00) == 0x7c00) h &= 0xbfff;
  return v;
}
template <>
std::vector<int16_t> samples(unsigned s) {
  return integers<int16_t>(s);
}
template <>
std::vector<uint32_t> samples(unsigned s) {
  return integers<uint32_t>(s);
}
template <>
std::vector<int32_t> samples(unsigned s) {
  return integers<int32_t>(s);
}
template <>
std::vector<uint64_t> samples(unsigned s) {
  return integers<uint64_t>(s);
}
template <>
std::vector<int64_t> samples(unsigned s) {
  return integers<int64_t>(s);
}
template <>
std::vector<float> samples(unsigned s) {
  return floats<float, uint32_t>(s, {0, 1, 0.5, 1.5, 2.5, 127.5, 3e38, 1e-38, 1e-40, 1.4e-45, INFINITY, NAN,
                                     2147483648.0, 4294967296.0, 65504, 65520, 448});
}
template <>
std::vector<double> samples(unsigned s) {
  return floats<double, uint64_t>(
      s, {0, 1, 0.5, 1.5, 2.5, 1e300, 1e-300, 4e-324, INFINITY, 2147483647.5, 9.2e18, 1.8446744073709552e19});
}

template <class T>
bool same(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (a != a && b != b) return !std::is_same_v<T, float> || std::bit_cast<uint32_t>(float(a)) == 0x7fffffff;
  }
  return std::memcmp(&a, &b, sizeof a) == 0;
}

template <class Op, class R, class... A>
__global__ void kernel(R* r, size_t n, const A*... a) {
  size_t i = blockIdx.x * size_t(blockDim.x) + threadIdx.x;
  if (i < n) r[i] = Op::dev(a[i]...);
}
int checked = 0;
template <class Op, class R, class... A>
void compare(const std::vector<A>&... a) {
  size_t n = std::min({a.size()...});
  Device<R> r(n);
  auto launch = [&](const Device<A>&... d) { kernel<Op, R, A...><<<blocks(n, 128), 128>>>(r.p, n, d.p...); };
  launch(Device<A>(a)...);
  MUST(cudaDeviceSynchronize());
  std::vector<R> got = r.host();
  ++checked;
  for (size_t i = 0; i < n; ++i) {
    R want = Op::ref(a[i]...);
    if (same(got[i], want)) continue;
    std::printf("  %s: operands", Op::name());
    (std::printf(" %.17g (%llx)", double(a[i]),
                 [&] {
                   unsigned long long b = 0;
                   std::memcpy(&b, &a[i], sizeof a[i]);
                   return b;
                 }()),
     ...);
    unsigned long long g = 0, w = 0;
    std::memcpy(&g, &got[i], sizeof g > sizeof want ? sizeof want : sizeof g);
    std::memcpy(&w, &want, sizeof want);
    std::printf(": got %llx, want %llx\n", g, w);
    check(false, Op::name());
    return;
  }
}
// All pairs (and a third operand that varies) of the samples.
template <class Op, class R, class A>
void one() {
  compare<Op, R>(samples<A>(1));
}
template <class Op, class R, class A, class B>
void two() {
  std::vector<A> a;
  std::vector<B> b;
  for (A x : samples<A>(1))
    for (B y : samples<B>(2)) {
      a.push_back(x);
      b.push_back(y);
    }
  compare<Op, R>(a, b);
}
template <class Op, class R, class A, class B, class C>
void three() {
  std::vector<A> a;
  std::vector<B> b;
  std::vector<C> c, pool = samples<C>(3);
  size_t k = 0;
  for (A x : samples<A>(1))
    for (B y : samples<B>(2))
      for (int j = 0; j < 3; ++j) {
        a.push_back(x);
        b.push_back(y);
        c.push_back(pool[k++ % pool.size()]);
      }
  compare<Op, R>(a, b, c);
}

// Constraint letters of the types in inline PTX.
#define C_u16 "h"
#define C_s16 "h"
#define C_u32 "r"
#define C_s32 "r"
#define C_u64 "l"
#define C_s64 "l"
#define C_f32 "f"
#define C_f64 "d"
using u16 = uint16_t;
using s16 = int16_t;
using u32 = uint32_t;
using s32 = int32_t;
using u64 = uint64_t;
using s64 = int64_t;
using f32 = float;
using f64 = double;
using i128 = __int128;

// Each instruction is a type of its own (kernels take no local types), run by main in this order.
std::vector<void (*)()>& runs() {
  static std::vector<void (*)()> v;
  return v;
}
struct Run {
  explicit Run(void (*f)()) { runs().push_back(f); }
};
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define UN(R, A, ptx, expr) UN_(JOIN(Op, __COUNTER__), R, A, ptx, expr)
#define BIN(R, A, B, ptx, expr) BIN_(JOIN(Op, __COUNTER__), R, A, B, ptx, expr)
#define TER(R, A, B, C, ptx, expr) TER_(JOIN(Op, __COUNTER__), R, A, B, C, ptx, expr)
#define UN_(Op, R, A, ptx, expr)                     \
  struct Op {                                        \
    static const char* name() { return ptx; }        \
    static __device__ R dev(A a) {                   \
      R r;                                           \
      asm(ptx " %0, %1;" : "=" C_##R(r) : C_##A(a)); \
      return r;                                      \
    }                                                \
    static R ref(A a) { return R(expr); }            \
  };                                                 \
  static Run JOIN(run_, Op)(one<Op, R, A>)
#define BIN_(Op, R, A, B, ptx, expr)                               \
  struct Op {                                                      \
    static const char* name() { return ptx; }                      \
    static __device__ R dev(A a, B b) {                            \
      R r;                                                         \
      asm(ptx " %0, %1, %2;" : "=" C_##R(r) : C_##A(a), C_##B(b)); \
      return r;                                                    \
    }                                                              \
    static R ref(A a, B b) { return R(expr); }                     \
  };                                                               \
  static Run JOIN(run_, Op)(two<Op, R, A, B>)
#define TER_(Op, R, A, B, C, ptx, expr)                                          \
  struct Op {                                                                    \
    static const char* name() { return ptx; }                                    \
    static __device__ R dev(A a, B b, C c) {                                     \
      R r;                                                                       \
      asm(ptx " %0, %1, %2, %3;" : "=" C_##R(r) : C_##A(a), C_##B(b), C_##C(c)); \
      return r;                                                                  \
    }                                                                            \
    static R ref(A a, B b, C c) { return R(expr); }                              \
  };                                                                             \
  static Run JOIN(run_, Op)(three<Op, R, A, B, C>)

template <class F>
auto rounded(int mode, F f) {  // f reads and writes volatiles
  int before = std::fegetround();
  std::fesetround(mode);
  auto r = f();
  std::fesetround(before);
  return r;
}
template <class T>
T vol(T v) {
  volatile T x = v;
  return x;
}
template <class T>
T sub_zero(T v) {
  return std::fpclassify(v) == FP_SUBNORMAL ? std::copysign(T(0), v) : v;
}
template <class T>
T clamp01(T v) {
  return v > 0 ? std::min(v, T(1)) : T(0);
}
template <class T>
T low(T a, T b) {
  return a != a ? b : b != b ? a : std::signbit(a) != std::signbit(b) ? (std::signbit(a) ? a : b) : std::min(a, b);
}
template <class T>
T high(T a, T b) {
  return a != a ? b : b != b ? a : std::signbit(a) != std::signbit(b) ? (std::signbit(a) ? b : a) : std::max(a, b);
}
