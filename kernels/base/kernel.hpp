// How an op finds its backend. One signature, one function per backend, one place that chooses:
//
//   using EncodeInt8 = void(const Exec&, ...);            // x.hpp: the signature, written once
//   namespace reference { EncodeInt8 encode_int8; }       // x_ref.cpp: plain loops, the definition
//   namespace simd { EncodeInt8 encode_int8; }            // x_cpu.cpp: the same bytes, faster
//   inline constexpr Kernel<EncodeInt8> encode_int8{reference::encode_int8, simd::encode_int8};
//
// and callers write encode_int8(exec, ...). An op that has no SIMD version yet names its reference twice.
#pragma once

#include <tightwire/exec.hpp>

namespace tw {

template <class Signature>
struct Kernel;

template <class... Arguments>
struct Kernel<void(const Exec&, Arguments...)> {
  using Function = void(const Exec&, Arguments...);
  Function* reference;
  Function* simd;

  void operator()(const Exec& exec, Arguments... arguments) const {
    (exec.backend == Backend::reference ? reference : simd)(exec, arguments...);
  }
};

/// Tells the caller of an op what was met.
inline void report(const Exec& exec, StatusBit bit) {
  if (exec.status != nullptr) *exec.status |= bit;
}

}  // namespace tw
