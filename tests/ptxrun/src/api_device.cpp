// Pretended devices: one (PTXRUN_DEVICES), sm_90, 132 SMs (PTXRUN_MULTIPROCESSORS), the limits of an H200; none reaches
// the memory of another. Errors and versions.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include "tests/ptxrun/src/runtime.hpp"

namespace ptxrun {
namespace {

int number_of(const char* variable, int otherwise) {
  const char* wanted = std::getenv(variable);
  return wanted ? std::max(1, std::atoi(wanted)) : otherwise;
}
int multiprocessors() { return number_of("PTXRUN_MULTIPROCESSORS", 132); }

constexpr int kMostDevices = 64;
int devices() {
  static const int count = std::min(number_of("PTXRUN_DEVICES", 1), kMostDevices);
  return count;
}
bool exists(int device) { return device >= 0 && device < devices(); }

// What a thread's current context is to the driver: one of a device, or none before it chose one.
char contexts[kMostDevices];
thread_local void* current_context = nullptr;
int get_current_context(void** context) {
  *context = current_context;
  return 0;
}
int set_current_context(void* context) {
  current_context = context;
  return 0;
}

int attribute(cudaDeviceAttr a) {
  switch (a) {
    case cudaDevAttrMaxThreadsPerBlock:
    case cudaDevAttrMaxBlockDimX:
    case cudaDevAttrMaxBlockDimY:
      return 1024;
    case cudaDevAttrMaxBlockDimZ:
      return 64;
    case cudaDevAttrMaxGridDimX:
      return 0x7fffffff;
    case cudaDevAttrMaxGridDimY:
    case cudaDevAttrMaxGridDimZ:
      return 65535;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      return 48 * 1024;
    case cudaDevAttrTotalConstantMemory:
      return 64 * 1024;
    case cudaDevAttrWarpSize:
      return 32;
    case cudaDevAttrMaxPitch:
      return 0x7fffffff;
    case cudaDevAttrMaxRegistersPerBlock:
    case cudaDevAttrMaxRegistersPerMultiprocessor:
      return 65536;
    case cudaDevAttrClockRate:
      return 1980000;
    case cudaDevAttrTextureAlignment:
      return 512;
    case cudaDevAttrMultiProcessorCount:
      return multiprocessors();
    case cudaDevAttrMemoryClockRate:
      return 3201000;
    case cudaDevAttrGlobalMemoryBusWidth:
      return 6144;
    case cudaDevAttrL2CacheSize:
      return 60 << 20;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      return 2048;
    case cudaDevAttrMaxBlocksPerMultiprocessor:
      return 32;
    case cudaDevAttrAsyncEngineCount:
      return 3;
    case cudaDevAttrComputeCapabilityMajor:
      return 9;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      return 228 * 1024;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      return kMaxShared;
    case cudaDevAttrReservedSharedMemoryPerBlock:
      return 1024;
    case cudaDevAttrCanMapHostMemory:
    case cudaDevAttrConcurrentKernels:
    case cudaDevAttrUnifiedAddressing:
    case cudaDevAttrEccEnabled:
    case cudaDevAttrStreamPrioritiesSupported:
    case cudaDevAttrGlobalL1CacheSupported:
    case cudaDevAttrLocalL1CacheSupported:
    case cudaDevAttrManagedMemory:
    case cudaDevAttrConcurrentManagedAccess:
    case cudaDevAttrHostRegisterSupported:
    case cudaDevAttrMemoryPoolsSupported:
    case cudaDevAttrGpuOverlap:
      return 1;
    default:
      return 0;  // also cooperative and cluster launches, which are not here
  }
}

struct ErrorName {
  int code;
  const char *name, *text;
};
constexpr ErrorName kErrors[] = {
    {0, "cudaSuccess", "no error"},
    {1, "cudaErrorInvalidValue", "invalid argument"},
    {2, "cudaErrorMemoryAllocation", "out of memory"},
    {9, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {13, "cudaErrorInvalidSymbol", "invalid device symbol"},
    {52, "cudaErrorMissingConfiguration", "__global__ function call is not configured"},
    {98, "cudaErrorInvalidDeviceFunction", "invalid device function"},
    {101, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {209, "cudaErrorNoKernelImageForDevice", "no kernel image is available for execution on the device"},
    {218, "cudaErrorInvalidPtx", "a PTX JIT compilation failed"},
    {400, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {401, "cudaErrorIllegalState", "the operation cannot be performed in the present state"},
    {600, "cudaErrorNotReady", "device not ready"},
    {700, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {702, "cudaErrorLaunchTimeout", "the launch timed out and was terminated"},
    {710, "cudaErrorAssert", "device-side assert triggered"},
    {713, "cudaErrorHostMemoryNotRegistered", "pointer does not correspond to a registered memory region"},
    {716, "cudaErrorMisalignedAddress", "misaligned address"},
    {719, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {801, "cudaErrorNotSupported", "operation not supported"},
    {900, "cudaErrorStreamCaptureUnsupported", "operation not permitted when stream is capturing"},
    {904, "cudaErrorStreamCaptureUnmatched", "the capture was not initiated in this stream"},
};
const ErrorName& name_of(cudaError_t e) {
  static constexpr ErrorName unknown{999, "cudaErrorUnknown", "unknown error"};
  for (const ErrorName& n : kErrors)
    if (n.code == int(e)) return n;
  return unknown;
}

}  // namespace

int current_device() { return current_context ? static_cast<int>(static_cast<char*>(current_context) - contexts) : 0; }

}  // namespace ptxrun

using namespace ptxrun;

extern "C" {

cudaError_t cudaGetDeviceCount(int* n) {
  *n = devices();
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* d) {
  *d = current_device();
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int d) {
  Call call;
  if (!exists(d)) return call(cudaErrorInvalidDevice);
  current_context = contexts + d;
  return call();
}
cudaError_t cudaInitDevice(int d, unsigned, unsigned) {
  Call call;
  return call(exists(d) ? cudaSuccess : cudaErrorInvalidDevice);
}
cudaError_t cudaDeviceReset() { return cudaSuccess; }
cudaError_t cudaDeviceSynchronize() {
  drain();
  Call call;
  return call();
}
cudaError_t cudaSetDeviceFlags(unsigned) { return cudaSuccess; }
cudaError_t cudaGetDeviceFlags(unsigned* f) {
  *f = 0;
  return cudaSuccess;
}
cudaError_t cudaDeviceSetLimit(cudaLimit, std::size_t) { return cudaSuccess; }
cudaError_t cudaDeviceGetLimit(std::size_t* v, cudaLimit) {
  *v = 0;
  return cudaSuccess;
}
cudaError_t cudaDeviceSetCacheConfig(cudaFuncCache) { return cudaSuccess; }
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  *least = 0;
  *greatest = -5;
  return cudaSuccess;
}
cudaError_t cudaDeviceCanAccessPeer(int* can, int, int) {
  *can = 0;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetPCIBusId(char* id, int n, int device) {
  std::snprintf(id, std::size_t(n), "0000:%02x:00.0", device);
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr a, int device) {
  Call call;
  if (!exists(device)) return call(cudaErrorInvalidDevice);
  *value = attribute(a);
  return call();
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int device) {
  Call call;
  if (!exists(device)) return call(cudaErrorInvalidDevice);
  *p = {};
  std::snprintf(p->name, sizeof p->name, "ptxrun (interpreted sm_90)");
  std::memcpy(p->uuid.bytes, &device, sizeof device);
  p->totalGlobalMem = 141ull << 30;
  p->sharedMemPerBlock = 48 * 1024;
  p->sharedMemPerBlockOptin = kMaxShared;
  p->sharedMemPerMultiprocessor = 228 * 1024;
  p->reservedSharedMemPerBlock = 1024;
  p->regsPerBlock = p->regsPerMultiprocessor = 65536;
  p->warpSize = 32;
  p->memPitch = 0x7fffffff;
  p->maxThreadsPerBlock = p->maxThreadsDim[0] = p->maxThreadsDim[1] = 1024;
  p->maxThreadsDim[2] = 64;
  p->maxGridSize[0] = 0x7fffffff;
  p->maxGridSize[1] = p->maxGridSize[2] = 65535;
  p->totalConstMem = 64 * 1024;
  p->major = 9;
  p->multiProcessorCount = multiprocessors();
  p->l2CacheSize = 60 << 20;
  p->memoryBusWidth = 6144;
  p->maxThreadsPerMultiProcessor = 2048;
  p->maxBlocksPerMultiProcessor = 32;
  p->textureAlignment = 512;
  p->asyncEngineCount = 3;
  p->canMapHostMemory = p->concurrentKernels = p->unifiedAddressing = p->ECCEnabled = p->managedMemory = 1;
  p->streamPrioritiesSupported = p->globalL1CacheSupported = p->localL1CacheSupported = p->memoryPoolsSupported = 1;
  p->hostRegisterSupported = p->concurrentManagedAccess = 1;
  return call();
}
cudaError_t cudaDriverGetVersion(int* v) {
  *v = 13000;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* v) {
  *v = 13000;
  return cudaSuccess;
}

cudaError_t cudaGetLastError() {
  std::lock_guard lock(runtime().mutex);
  cudaError_t e = runtime().last;
  runtime().last = runtime().sticky;
  return e;
}
cudaError_t cudaPeekAtLastError() {
  std::lock_guard lock(runtime().mutex);
  return runtime().last;
}
const char* cudaGetErrorName(cudaError_t e) { return name_of(e).name; }
const char* cudaGetErrorString(cudaError_t e) { return name_of(e).text; }

cudaError_t cudaGetDriverEntryPointByVersion(const char* s, void** f, unsigned, unsigned long long,
                                             cudaDriverEntryPointQueryResult* r) {
  const std::string_view symbol = s;
  *f = symbol == "cuCtxGetCurrent"   ? reinterpret_cast<void*>(get_current_context)
       : symbol == "cuCtxSetCurrent" ? reinterpret_cast<void*>(set_current_context)
                                     : nullptr;
  if (r) *r = *f ? cudaDriverEntryPointSuccess : cudaDriverEntryPointSymbolNotFound;
  return cudaSuccess;
}
cudaError_t cudaGetDriverEntryPoint(const char* s, void** f, unsigned long long flags,
                                    cudaDriverEntryPointQueryResult* r) {
  return cudaGetDriverEntryPointByVersion(s, f, 13000, flags, r);
}
cudaError_t cudaProfilerStart() { return cudaSuccess; }
cudaError_t cudaProfilerStop() { return cudaSuccess; }

}  // extern "C"
