#include "tests/support/device_allocations.hpp"

#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <atomic>
#include <ostream>

namespace tw::test {
namespace {

struct Counter {
  std::atomic<std::uint64_t> calls = 0, bytes = 0;
  void add(std::uint64_t more) { ++calls, bytes += more; }
  Taken read() const { return {calls, bytes}; }
};
Counter device, pinned, copied_off;

template <class Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

bool lies_on_device(const void* address) {
  cudaPointerAttributes attributes;
  return cudaPointerGetAttributes(&attributes, address) == cudaSuccess && attributes.type == cudaMemoryTypeDevice;
}

}  // namespace

void PrintTo(const Taken& taken, std::ostream* out) { *out << taken.calls << " calls, " << taken.bytes << " bytes"; }

Taken device_memory_taken() { return device.read(); }
Taken pinned_memory_taken() { return pinned.read(); }
Taken copied_off_devices() { return copied_off.read(); }

}  // namespace tw::test

extern "C" {

cudaError_t cudaMalloc(void** address, std::size_t bytes) {
  tw::test::device.add(bytes);
  return tw::test::real<cudaError_t (*)(void**, std::size_t)>("cudaMalloc")(address, bytes);
}

cudaError_t cudaHostAlloc(void** address, std::size_t bytes, unsigned flags) {
  tw::test::pinned.add(bytes);
  return tw::test::real<cudaError_t (*)(void**, std::size_t, unsigned)>("cudaHostAlloc")(address, bytes, flags);
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  if (tw::test::lies_on_device(from) && !tw::test::lies_on_device(to)) tw::test::copied_off.add(bytes);
  return tw::test::real<cudaError_t (*)(void*, const void*, std::size_t, cudaMemcpyKind, cudaStream_t)>(
      "cudaMemcpyAsync")(to, from, bytes, kind, stream);
}

}  // extern "C"
