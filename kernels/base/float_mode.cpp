#include "kernels/base/float_mode.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tw {
namespace {

#if defined(__x86_64__)
constexpr unsigned long long kIeee = 0x1f80;   // MXCSR as a process starts with it: all exceptions masked
constexpr unsigned long long kFlush = 0x8040;  // FTZ and DAZ
unsigned long long register_value() { return _mm_getcsr(); }
void set_register(unsigned long long value) { _mm_setcsr(static_cast<unsigned>(value)); }
#elif defined(__aarch64__)
constexpr unsigned long long kIeee = 0;
constexpr unsigned long long kFlush = 1ull << 24;  // FPCR.FZ
unsigned long long register_value() {
  unsigned long long fpcr;
  asm volatile("mrs %0, fpcr" : "=r"(fpcr));
  return fpcr;
}
void set_register(unsigned long long value) { asm volatile("msr fpcr, %0" : : "r"(value)); }
#else
#error "say here how this processor flushes denormals"
#endif

}  // namespace

ScopedFloatMode::ScopedFloatMode(FloatMode mode) : former_(register_value()) {
  set_register(mode == FloatMode::ieee ? kIeee : former_ | kFlush);
}
ScopedFloatMode::~ScopedFloatMode() { set_register(former_); }

}  // namespace tw
