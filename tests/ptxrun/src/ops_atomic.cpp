// atom and red: lanes one after another, in lane order.
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
struct F16x2 {
  std::uint16_t lo, hi;
};
struct Bf16x2 {
  std::uint16_t lo, hi;
};
struct B128 {
  std::uint64_t lo, hi;
  bool operator==(const B128&) const = default;
};
inline std::uint16_t f16_sum(std::uint16_t a, std::uint16_t b) {
  return std::uint16_t(encode(double(decode_f16(a)) + decode_f16(b), kF16, Round::nearest));
}
inline std::uint16_t bf16_sum(std::uint16_t a, std::uint16_t b) {
  return std::uint16_t(encode(double(decode_bf16(a)) + decode_bf16(b), kBf16, Round::nearest));
}
inline F16 sum(F16 a, F16 b) { return {f16_sum(a.bits, b.bits)}; }
inline Bf16 sum(Bf16 a, Bf16 b) { return {bf16_sum(a.bits, b.bits)}; }
inline F16x2 sum(F16x2 a, F16x2 b) { return {f16_sum(a.lo, b.lo), f16_sum(a.hi, b.hi)}; }
inline Bf16x2 sum(Bf16x2 a, Bf16x2 b) { return {bf16_sum(a.lo, b.lo), bf16_sum(a.hi, b.hi)}; }
inline float sum(float a, float b) { return canonical(a + b); }
inline double sum(double a, double b) { return a + b; }
template <class T>
requires std::is_integral_v<T> T sum(T a, T b) { return T(Wide<T>(a) + Wide<T>(b)); }

struct Add {
  template <class T>
  static T go(T a, T b, T) {
    return sum(a, b);
  }
};
struct AddFlush {
  static float go(float a, float b, float) { return flush(sum(flush(a), flush(b))); }
};
struct And {
  template <class T>
  static T go(T a, T b, T) {
    return a & b;
  }
};
struct Or {
  template <class T>
  static T go(T a, T b, T) {
    return a | b;
  }
};
struct Xor {
  template <class T>
  static T go(T a, T b, T) {
    return a ^ b;
  }
};
struct Min {
  template <class T>
  static T go(T a, T b, T) {
    return b < a ? b : a;
  }
};
struct Max {
  template <class T>
  static T go(T a, T b, T) {
    return a < b ? b : a;
  }
};
struct Inc {
  template <class T>
  static T go(T a, T b, T) {
    return a >= b ? 0 : a + 1;
  }
};
struct Dec {
  template <class T>
  static T go(T a, T b, T) {
    return a == 0 || a > b ? b : a - 1;
  }
};
struct Exchange {
  template <class T>
  static T go(T, T b, T) {
    return b;
  }
};
struct Cas {
  template <class T>
  static T go(T a, T b, T c) {
    return a == b ? c : a;
  }
};

// Of float types only add: an exchange is one of bits. In global memory the f32 sum flushes subnormals.
template <class T, class F>
void apply(Warp& w, const Inst& in, std::uint32_t m) {
  std::uint8_t* ptr[kLanes];
  resolve(w, in, m, ptr);
  std::uint8_t* shared = w.block->shared.data();
  std::size_t shared_bytes = w.block->shared.size();
  bool changed = false;
  for (std::uint32_t r = m; r; r &= r - 1) {
    int i = lowest(r);
    bool in_shared = std::size_t(ptr[i] - shared) < shared_bytes;
    T* at = reinterpret_cast<T*>(ptr[i]);
    T before = *at, b = w.at<T>(in.src[1])[i], c = in.src[2] != kNoRef ? w.at<T>(in.src[2])[i] : b, after;
    if constexpr (std::is_same_v<T, float>)
      after = in_shared ? F::go(before, b, c) : AddFlush::go(before, b, c);
    else
      after = F::go(before, b, c);
    changed |= std::memcmp(&before, &after, sizeof(T)) != 0;
    *at = after;
    if (in.dst[0] != kNoRef) w.at<T>(in.dst[0])[i] = before;
  }
  if (changed)
    w.block->idle_reads = 0;
  else
    w.yield |= ++w.block->idle_reads % 32 == 0;  // perhaps it waits for a lock
}

// A vector of sums: each element is atomic, not the whole. dst holds the values, src[2] tells where results go.
template <class T>
void add_vector(Warp& w, const Inst& in, std::uint32_t m) {
  std::uint8_t* ptr[kLanes];
  resolve(w, in, m, ptr);
  for (std::uint32_t r = m; r; r &= r - 1) {
    int i = lowest(r);
    for (unsigned v = 0; v < in.vec; ++v) {
      T* at = reinterpret_cast<T*>(ptr[i] + v * sizeof(T));
      T before = *at, b = w.at<T>(in.dst[v])[i];
      if constexpr (std::is_same_v<T, float>)
        *at = AddFlush::go(before, b, b);
      else
        *at = sum(before, b);
      if (in.src[2] != kNoRef) w.at<T>(w.launch->program->vector_results[in.src[2]][v])[i] = before;
    }
  }
  w.block->idle_reads = 0;
}
void decode_vector(Decode& d, Type t, bool red, unsigned n) {
  std::size_t first = red ? 0 : 1;
  d.address(d.op(first), Space::global);
  std::array<std::uint32_t, 4> results{};
  for (unsigned v = 0; v < n; ++v) {
    d.in.dst[v] = d.source(d.op(first + 1).items.at(v), t);
    if (!red) results[v] = d.target(d.op(0).items.at(v), t);
  }
  if (!red) {
    d.in.src[2] = std::uint32_t(d.b.program.vector_results.size());
    d.b.program.vector_results.push_back(results);
  }
  d.in.flags |= kWrite | kAtomic | kStrong;
  d.in.size = std::uint8_t(size_of(t));
  d.in.vec = std::uint8_t(n);
  Handler h = t == Type::f32      ? Handler(add_vector<float>)
              : t == Type::f16    ? Handler(add_vector<F16>)
              : t == Type::bf16   ? Handler(add_vector<Bf16>)
              : t == Type::f16x2  ? Handler(add_vector<F16x2>)
              : t == Type::bf16x2 ? Handler(add_vector<Bf16x2>)
                                  : nullptr;
  finish(d, h, Class::atomic);
}

template <class T>
Handler pick_integer(std::string_view op) {
  if (op == "add") return apply<T, Add>;
  if (op == "min") return apply<T, Min>;
  if (op == "max") return apply<T, Max>;
  if constexpr (std::is_unsigned_v<T>) {
    if (op == "and") return apply<T, And>;
    if (op == "or") return apply<T, Or>;
    if (op == "xor") return apply<T, Xor>;
    if (op == "exch") return apply<T, Exchange>;
    if (op == "cas") return apply<T, Cas>;
    if (op == "inc") return apply<T, Inc>;
    if (op == "dec") return apply<T, Dec>;
  }
  return nullptr;
}

Handler pick(std::string_view op, Type t) {
  if (op == "add") {
    if (t == Type::f32) return apply<float, Add>;
    if (t == Type::f64) return apply<double, Add>;
    if (t == Type::f16) return apply<F16, Add>;
    if (t == Type::bf16) return apply<Bf16, Add>;
    if (t == Type::f16x2) return apply<F16x2, Add>;
    if (t == Type::bf16x2) return apply<Bf16x2, Add>;
  }
  if (t == Type::b16 && op == "cas") return apply<std::uint16_t, Cas>;
  if (t == Type::b128)
    return op == "cas" ? Handler(apply<B128, Cas>) : op == "exch" ? Handler(apply<B128, Exchange>) : nullptr;
  if (is_float(t) || size_of(t) < 4) return nullptr;
  if (is_signed(t)) return size_of(t) == 8 ? pick_integer<std::int64_t>(op) : pick_integer<std::int32_t>(op);
  return size_of(t) == 8 ? pick_integer<std::uint64_t>(op) : pick_integer<std::uint32_t>(op);
}

void decode_atomic(Decode& d) {
  bool red = d.base == "red";
  Type t = d.take_type();
  std::string_view space = d.take_of({"global", "shared", "shared::cta", "shared::cluster"});
  d.take_any({"relaxed", "acquire", "release", "acq_rel"});
  d.take_any({"cta", "cluster", "gpu", "sys"});
  d.take("noftz");
  d.drop_prefixed("L2::");
  std::string_view op = d.take_of({"add", "and", "or", "xor", "cas", "exch", "inc", "dec", "min", "max"});
  std::size_t first = red ? 0 : 1;
  std::string_view vec = d.take_of({"v2", "v4"});
  if (!vec.empty())
    return op == "add" && space == "global" ? decode_vector(d, t, red, vec == "v2" ? 2 : 4) : d.unsupported();
  d.address(d.op(first), space.empty() ? Space::generic : space[0] == 'g' ? Space::global : Space::shared);
  if (!red) d.in.dst[0] = d.target(d.op(0), t);
  d.src(first + 1, t, 1);
  if (op == "cas") d.src(first + 2, t, 2);
  d.in.flags |= kWrite | kAtomic | kStrong;
  d.in.size = std::uint8_t(size_of(t));
  finish(d, pick(op, t), Class::atomic);
}

}  // namespace

void add_atomic_decoders(DecoderTable& t) { t["atom"] = t["red"] = decode_atomic; }

}  // namespace ptxrun
