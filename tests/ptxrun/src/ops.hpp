// Shapes of instructions: one result from one, two or three operands, lane by lane.
#pragma once
#include <type_traits>
#include "tests/ptxrun/src/decode.hpp"
#include "tests/ptxrun/src/exec.hpp"

namespace ptxrun {

template <class T, class F>
void unary(Warp& w, const Inst& in, std::uint32_t m) {
  T* d = w.at<T>(in.dst[0]);
  const T* a = w.at<T>(in.src[0]);
  for_lanes(m, [=](int i) { d[i] = F::go(a[i]); });
}
template <class T, class F>
void binary(Warp& w, const Inst& in, std::uint32_t m) {
  T* d = w.at<T>(in.dst[0]);
  const T *a = w.at<T>(in.src[0]), *b = w.at<T>(in.src[1]);
  for_lanes(m, [=](int i) { d[i] = F::go(a[i], b[i]); });
}
template <class T, class F>
void ternary(Warp& w, const Inst& in, std::uint32_t m) {
  T* d = w.at<T>(in.dst[0]);
  const T *a = w.at<T>(in.src[0]), *b = w.at<T>(in.src[1]), *c = w.at<T>(in.src[2]);
  for_lanes(m, [=](int i) { d[i] = F::go(a[i], b[i], c[i]); });
}
// Result and operands of different types: R = F(A, B).
template <class R, class A, class F>
void map1(Warp& w, const Inst& in, std::uint32_t m) {
  R* d = w.at<R>(in.dst[0]);
  const A* a = w.at<A>(in.src[0]);
  for_lanes(m, [=](int i) { d[i] = F::go(a[i]); });
}
template <class R, class A, class B, class F>
void map2(Warp& w, const Inst& in, std::uint32_t m) {
  R* d = w.at<R>(in.dst[0]);
  const A* a = w.at<A>(in.src[0]);
  const B* b = w.at<B>(in.src[1]);
  for_lanes(m, [=](int i) { d[i] = F::go(a[i], b[i]); });
}
template <class R, class A, class B, class C, class F>
void map3(Warp& w, const Inst& in, std::uint32_t m) {
  R* d = w.at<R>(in.dst[0]);
  const A* a = w.at<A>(in.src[0]);
  const B* b = w.at<B>(in.src[1]);
  const C* c = w.at<C>(in.src[2]);
  for_lanes(m, [=](int i) { d[i] = F::go(a[i], b[i], c[i]); });
}

// Arithmetic that wraps, without signed overflow in the host language.
template <class T>
using Wide = std::conditional_t<sizeof(T) <= 4, std::uint32_t, std::uint64_t>;
template <class T>
using Unsigned = std::make_unsigned_t<T>;

inline Type as_unsigned(Type t) {
  switch (t) {
    case Type::b16:
    case Type::s16:
      return Type::u16;
    case Type::b32:
    case Type::s32:
      return Type::u32;
    case Type::b64:
    case Type::s64:
      return Type::u64;
    default:
      return t;
  }
}

// Picks the instance for an integer type; null for others.
#define PTXRUN_PICK_INT(shape, F, t)                      \
  ((t) == Type::u16   ? Handler(&shape<std::uint16_t, F>) \
   : (t) == Type::s16 ? Handler(&shape<std::int16_t, F>)  \
   : (t) == Type::u32 ? Handler(&shape<std::uint32_t, F>) \
   : (t) == Type::s32 ? Handler(&shape<std::int32_t, F>)  \
   : (t) == Type::u64 ? Handler(&shape<std::uint64_t, F>) \
   : (t) == Type::s64 ? Handler(&shape<std::int64_t, F>)  \
                      : nullptr)

inline void finish(Decode& d, Handler h, Class k) {
  if (!h) d.unsupported();
  d.in.fn = h;
  d.in.klass = k;
}
inline void operands(Decode& d, Type t, int sources) {
  d.dst(0, t);
  for (int i = 0; i < sources; ++i) d.src(std::size_t(i) + 1, t, i);
}

}  // namespace ptxrun
