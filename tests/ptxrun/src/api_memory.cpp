// Allocation, copies, fills.
#include <cstdlib>
#include "tests/ptxrun/src/runtime.hpp"

namespace ptxrun {
namespace {

bool device_range(const void* p) {
  Allocation* a = memory().find(reinterpret_cast<std::uint64_t>(p));
  return a && (a->owned || a->freed);
}

// Where the bytes of a pointer are; null (and a message) when a device range is left.
std::uint8_t* bytes_of(const void* p, std::size_t n, const char* what) {
  std::uint64_t address = reinterpret_cast<std::uint64_t>(p);
  Allocation* a = memory().find(address);
  if (!a) return static_cast<std::uint8_t*>(const_cast<void*>(p));  // host memory
  if (a->contains(address, n)) return a->data + (address - a->begin);
  complain(cudaErrorInvalidValue,
           std::string(what) + " of " + std::to_string(n) + " bytes: " + memory().describe(address));
  return nullptr;
}

cudaError_t copy(void* to, const void* from, std::size_t n, cudaMemcpyKind kind) {
  if (!n) return cudaSuccess;
  bool to_device = device_range(to), from_device = device_range(from);
  bool wrong = (kind == cudaMemcpyHostToDevice && from_device) || (kind == cudaMemcpyDeviceToHost && to_device) ||
               (kind == cudaMemcpyHostToHost && (to_device || from_device));
  if (wrong) return complain(cudaErrorInvalidValue, "copy in the wrong direction");
  std::uint8_t *d = bytes_of(to, n, "copy to device memory"), *s = bytes_of(from, n, "copy from device memory");
  if (!d || !s) return cudaErrorInvalidValue;
  if ((kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice) &&
      !memory().find(reinterpret_cast<std::uint64_t>(to)))
    return complain(cudaErrorInvalidValue, "copy to a device address that is in no allocation");
  if ((kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice) &&
      !memory().find(reinterpret_cast<std::uint64_t>(from)))
    return complain(cudaErrorInvalidValue, "copy from a device address that is in no allocation");
  std::memmove(d, s, n);
  memory().mark_written(reinterpret_cast<std::uint64_t>(to), n);
  return cudaSuccess;
}
// Copies of such memory are done when the call returns.
bool is_pageable(const void* p) {
  const Call call;
  return memory().find(reinterpret_cast<std::uint64_t>(p)) == nullptr;
}
cudaError_t fill(void* to, int value, std::size_t n) {
  if (!n) return cudaSuccess;
  if (!memory().find(reinterpret_cast<std::uint64_t>(to)))
    return complain(cudaErrorInvalidValue, "memset outside device memory");
  std::uint8_t* d = bytes_of(to, n, "memset");
  if (!d) return cudaErrorInvalidValue;
  std::memset(d, value, n);
  memory().mark_written(reinterpret_cast<std::uint64_t>(to), n);
  return cudaSuccess;
}
cudaError_t allocate(void** p, std::size_t n, int device) {
  if (!p) return cudaErrorInvalidValue;
  *p = nullptr;
  if (!n) return cudaSuccess;
  Allocation* a = memory().allocate(n, "allocation", device);
  if (!a) return cudaErrorMemoryAllocation;
  *p = reinterpret_cast<void*>(a->begin);
  return cudaSuccess;
}
cudaError_t release(void* p) {
  if (!p) return cudaSuccess;
  Allocation* a = memory().find(reinterpret_cast<std::uint64_t>(p));
  if (a && !a->owned) {
    memory().release(reinterpret_cast<std::uint64_t>(p));
    std::free(p);
    return cudaSuccess;
  }  // managed
  if (!memory().release(reinterpret_cast<std::uint64_t>(p)))
    return complain(cudaErrorInvalidValue, "free of " + memory().describe(reinterpret_cast<std::uint64_t>(p)));
  return cudaSuccess;
}
cudaError_t allocate_host(void** p, std::size_t n) {
  *p = std::aligned_alloc(4096, (n + 4096) / 4096 * 4096);
  if (!*p) return cudaErrorMemoryAllocation;
  memory().adopt(*p, n, "host allocation");
  return cudaSuccess;
}
cudaError_t release_host(void* p) {
  if (!p) return cudaSuccess;
  if (!memory().release(reinterpret_cast<std::uint64_t>(p))) return cudaErrorInvalidValue;
  std::free(p);
  return cudaSuccess;
}
cudaError_t find_symbol(const void* symbol, std::size_t n, std::size_t offset, std::uint64_t* address) {
  auto it = runtime().variables.find(symbol);
  if (it == runtime().variables.end()) return complain(cudaErrorInvalidSymbol, "unknown device variable");
  if (offset + n > it->second.second) return complain(cudaErrorInvalidValue, "copy beyond a device variable");
  *address = it->second.first + offset;
  return cudaSuccess;
}

}  // namespace
}  // namespace ptxrun

using namespace ptxrun;

extern "C" {

cudaError_t cudaMalloc(void** p, std::size_t n) {
  Call call;
  return call(allocate(p, n, current_device()));
}
cudaError_t cudaFree(void* p) {
  drain();
  Call call;
  return call(release(p));
}
cudaError_t cudaMallocAsync(void** p, std::size_t n, cudaStream_t s) {
  Call call;
  return call(allocate(p, n, device_of(s)));
}
cudaError_t cudaMallocFromPoolAsync(void** p, std::size_t n, cudaMemPool_t, cudaStream_t s) {
  Call call;
  return call(allocate(p, n, device_of(s)));
}
cudaError_t cudaFreeAsync(void* p, cudaStream_t s) {
  Call call;
  return call(submit(s, [=] { return release(p); }));
}
cudaError_t cudaMallocManaged(void** p, std::size_t n, unsigned) {
  Call call;
  return call(allocate_host(p, n));
}
cudaError_t cudaHostAlloc(void** p, std::size_t n, unsigned) {
  Call call;
  return call(allocate_host(p, n));
}
cudaError_t cudaMallocHost(void** p, std::size_t n) {
  Call call;
  return call(allocate_host(p, n));
}
cudaError_t cudaFreeHost(void* p) {
  drain();
  Call call;
  return call(release_host(p));
}
cudaError_t cudaHostRegister(void* p, std::size_t n, unsigned) {
  Call call;
  memory().adopt(p, n, "registered host memory");
  return call();
}
cudaError_t cudaHostUnregister(void* p) {
  drain();
  Call call;
  return call(memory().release(reinterpret_cast<std::uint64_t>(p)) ? cudaSuccess : cudaErrorHostMemoryNotRegistered);
}
cudaError_t cudaHostGetDevicePointer(void** d, void* h, unsigned) {
  Call call;
  *d = h;
  return call(memory().find(reinterpret_cast<std::uint64_t>(h)) ? cudaSuccess : cudaErrorInvalidValue);
}
cudaError_t cudaMemGetInfo(std::size_t* available, std::size_t* total) {
  Call call;
  *total = 141ull << 30;
  *available = *total - memory().in_use();
  return call();
}

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t n, cudaMemcpyKind kind) {
  drain(nullptr);
  Call call;
  return call(copy(to, from, n, kind));
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t n, cudaMemcpyKind kind, cudaStream_t s) {
  const bool at_once = late() && !is_captured(s) && (is_pageable(to) || is_pageable(from));
  if (at_once) drain(s);
  Call call;
  if (at_once) return call(copy(to, from, n, kind));
  return call(submit(s, [=] { return copy(to, from, n, kind); }));
}
cudaError_t cudaMemcpyPeerAsync(void* to, int, const void* from, int, std::size_t n, cudaStream_t s) {
  Call call;
  return call(submit(s, [=] { return copy(to, from, n, cudaMemcpyDeviceToDevice); }));
}
cudaError_t cudaMemset(void* to, int v, std::size_t n) {
  drain(nullptr);
  Call call;
  return call(fill(to, v, n));
}
cudaError_t cudaMemsetAsync(void* to, int v, std::size_t n, cudaStream_t s) {
  Call call;
  return call(submit(s, [=] { return fill(to, v, n); }));
}
cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                              std::size_t width, std::size_t height, cudaMemcpyKind kind, cudaStream_t s) {
  Call call;
  return call(submit(s, [=] {
    for (std::size_t y = 0; y < height; ++y)
      if (cudaError_t e =
              copy(static_cast<char*>(to) + y * to_pitch, static_cast<const char*>(from) + y * from_pitch, width, kind))
        return e;
    return cudaSuccess;
  }));
}
cudaError_t cudaMemcpy2D(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch, std::size_t width,
                         std::size_t height, cudaMemcpyKind kind) {
  const cudaError_t error = cudaMemcpy2DAsync(to, to_pitch, from, from_pitch, width, height, kind, nullptr);
  drain(nullptr);
  return error;
}
cudaError_t cudaMemcpyToSymbolAsync(const void* symbol, const void* from, std::size_t n, std::size_t offset,
                                    cudaMemcpyKind kind, cudaStream_t s) {
  Call call;
  std::uint64_t to;
  if (cudaError_t e = find_symbol(symbol, n, offset, &to)) return call(e);
  return call(submit(s, [=] { return copy(reinterpret_cast<void*>(to), from, n, kind); }));
}
cudaError_t cudaMemcpyToSymbol(const void* symbol, const void* from, std::size_t n, std::size_t offset,
                               cudaMemcpyKind kind) {
  const cudaError_t error = cudaMemcpyToSymbolAsync(symbol, from, n, offset, kind, nullptr);
  drain(nullptr);
  return error;
}
cudaError_t cudaMemcpyFromSymbolAsync(void* to, const void* symbol, std::size_t n, std::size_t offset,
                                      cudaMemcpyKind kind, cudaStream_t s) {
  Call call;
  std::uint64_t from;
  if (cudaError_t e = find_symbol(symbol, n, offset, &from)) return call(e);
  return call(submit(s, [=] { return copy(to, reinterpret_cast<void*>(from), n, kind); }));
}
cudaError_t cudaMemcpyFromSymbol(void* to, const void* symbol, std::size_t n, std::size_t offset, cudaMemcpyKind kind) {
  const cudaError_t error = cudaMemcpyFromSymbolAsync(to, symbol, n, offset, kind, nullptr);
  drain(nullptr);
  return error;
}
cudaError_t cudaGetSymbolAddress(void** p, const void* symbol) {
  Call call;
  std::uint64_t address = 0;
  cudaError_t e = find_symbol(symbol, 0, 0, &address);
  *p = reinterpret_cast<void*>(address);
  return call(e);
}
cudaError_t cudaGetSymbolSize(std::size_t* n, const void* symbol) {
  Call call;
  auto it = runtime().variables.find(symbol);
  if (it == runtime().variables.end()) return call(cudaErrorInvalidSymbol);
  *n = it->second.second;
  return call();
}
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* a, const void* p) {
  Call call;
  *a = {};
  Allocation* o = memory().find(reinterpret_cast<std::uint64_t>(p));
  if (!o || o->freed) {
    a->type = cudaMemoryTypeUnregistered;
    a->hostPointer = const_cast<void*>(p);
    a->device = -2;
    return call();
  }
  a->type = o->owned ? cudaMemoryTypeDevice : cudaMemoryTypeHost;
  a->device = o->device == kEvery ? 0 : o->device;
  a->devicePointer = const_cast<void*>(p);
  if (!o->owned) a->hostPointer = const_cast<void*>(p);
  return call();
}

// Not of the runtime: how a test's network card reaches device memory, beside all streams and whatever they do. Null
// unless all of it lies in one allocation.
void* ptxrun_map(void* address, std::size_t n, int writes) {
  Call call;
  const auto begin = reinterpret_cast<std::uint64_t>(address);
  std::uint8_t* bytes = memory().host_view(begin, n);
  if (bytes != nullptr && writes != 0) memory().mark_written(begin, n);
  return bytes;
}

cudaError_t cudaMallocPitch(void** p, std::size_t* pitch, std::size_t width, std::size_t height) {
  Call call;
  *pitch = (width + 511) / 512 * 512;
  return call(allocate(p, *pitch * height, current_device()));
}
cudaError_t cudaMemcpyPeer(void* to, int, const void* from, int, std::size_t n) {
  drain(nullptr);
  Call call;
  return call(copy(to, from, n, cudaMemcpyDeviceToDevice));
}
cudaError_t cudaMemPrefetchAsync(const void*, std::size_t, cudaMemLocation, unsigned, cudaStream_t) {
  return cudaSuccess;
}
cudaError_t cudaMemAdvise(const void*, std::size_t, cudaMemoryAdvise, cudaMemLocation) { return cudaSuccess; }

cudaError_t cudaMemPoolCreate(cudaMemPool_t* pool, const cudaMemPoolProps*) {
  *pool = reinterpret_cast<cudaMemPool_t>(std::uint64_t{1});
  return cudaSuccess;
}
cudaError_t cudaMemPoolDestroy(cudaMemPool_t) { return cudaSuccess; }
cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t, cudaMemPoolAttr, void* value) {
  *static_cast<std::uint64_t*>(value) = 0;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int) {
  *pool = reinterpret_cast<cudaMemPool_t>(std::uint64_t{1});
  return cudaSuccess;
}
cudaError_t cudaDeviceGetMemPool(cudaMemPool_t* pool, int) {
  *pool = reinterpret_cast<cudaMemPool_t>(std::uint64_t{1});
  return cudaSuccess;
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) { return cudaSuccess; }
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, std::size_t) { return cudaSuccess; }

}  // extern "C"
