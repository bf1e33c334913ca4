#include "trainer/float_mode.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tw::trainer {
namespace {

#if defined(__x86_64__)
constexpr unsigned long long kFlush = 0x8040;  // FTZ and DAZ
unsigned long long mode() { return _mm_getcsr(); }
void set_mode(unsigned long long mode) { _mm_setcsr(static_cast<unsigned>(mode)); }
#elif defined(__aarch64__)
constexpr unsigned long long kFlush = 1ull << 24;  // FPCR.FZ
unsigned long long mode() {
  unsigned long long fpcr;
  asm volatile("mrs %0, fpcr" : "=r"(fpcr));
  return fpcr;
}
void set_mode(unsigned long long mode) { asm volatile("msr fpcr, %0" : : "r"(mode)); }
#else
#error "say here how this processor flushes denormals"
#endif

}  // namespace

FlushDenormals::FlushDenormals() : former_(mode()) { set_mode(former_ | kFlush); }
FlushDenormals::~FlushDenormals() { set_mode(former_); }

}  // namespace tw::trainer
