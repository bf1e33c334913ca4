// How an op finds its backend. One signature, one function per backend, one place that chooses:
//
//   using EncodeInt8 = void(const Exec&, ...);            // x.hpp: the signature, written once
//   namespace reference { EncodeInt8 encode_int8; }       // x_ref.cpp: plain loops, the definition
//   namespace simd { EncodeInt8 encode_int8; }            // x_cpu.cpp: the same bytes, faster
//   namespace cuda { EncodeInt8 encode_int8; }            // x_cuda.cu: the same bytes, on the device
//   inline constexpr Kernel<EncodeInt8> encode_int8{reference::encode_int8, simd::encode_int8, cuda::encode_int8};
//
// and callers write encode_int8(exec, ...). An op that has no SIMD version yet names its reference twice. Builds
// without CUDA compile no x_cuda.cu: there the third function is forgotten before anything refers to it.
#pragma once

#include <tightwire/exec.hpp>

namespace tw {

inline constexpr bool kHaveCuda = TW_HAVE_CUDA;

/// Throws what says why `Backend::cuda` has no function for an op: a CudaError in a build without CUDA, a UsageError
/// where the op has no CUDA version.
[[noreturn]] void throw_no_cuda_kernel();

template <class Signature>
class Kernel;

template <class... Arguments>
class Kernel<void(const Exec&, Arguments...)> {
 public:
  using Function = void(const Exec&, Arguments...);

  constexpr Kernel(Function* reference, Function* simd, Function* cuda = nullptr)
      : reference_(reference), simd_(simd), cuda_(kHaveCuda ? cuda : nullptr) {}

  void operator()(const Exec& exec, Arguments... arguments) const {
    Function* function = exec.backend == Backend::reference ? reference_
                         : exec.backend == Backend::simd    ? simd_
                                                            : cuda_;
    if (function == nullptr) [[unlikely]]
      throw_no_cuda_kernel();
    function(exec, arguments...);
  }

 private:
  Function* reference_;
  Function* simd_;
  Function* cuda_;
};

/// Tells the caller of an op what was met. Not for device code, which has kernels/cuda/findings.hpp.
inline void report(const Exec& exec, StatusBit bit) {
  if (exec.status != nullptr) *exec.status |= bit;
}

}  // namespace tw
