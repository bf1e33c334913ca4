#include "kernels/cuda/device.hpp"

#include <cuda.h>

#include "kernels/base/check.hpp"
#include "kernels/cuda/error.hpp"

namespace tw::cuda {
namespace {

// 13000 as "13.0".
std::string version(int number) { return detail::concat(number / 1000, ".", number % 1000 / 10); }

std::string describe(int device) {
  cudaDeviceProp properties;
  TW_CUDA(cudaGetDeviceProperties(&properties, device));
  return detail::concat(device, " ", properties.name, " (sm_", properties.major, properties.minor, ", ",
                        properties.totalGlobalMem / 1'000'000'000, " GB)");
}

std::string devices() {
  int count = 0, driver = 0;
  TW_CUDA(cudaDriverGetVersion(&driver));
  if (driver == 0) return "no driver here";
  TW_CUDA(cudaGetDeviceCount(&count));
  std::string found;
  for (int device = 0; device < count; ++device) found += describe(device) + ", ";
  return found + "driver " + version(driver);
}

// "CUDA Runtime API calls operate on the CUcontext which is current to the calling host thread" (the runtime's manual,
// Interactions with the CUDA Driver API). Found at run time: nothing links the driver.
struct Contexts {
  decltype(&cuCtxGetCurrent) get = nullptr;
  decltype(&cuCtxSetCurrent) set = nullptr;
};

template <class Function>
void find_in_driver(const char* name, Function*& function) {
  void* found = nullptr;
  cudaDriverEntryPointQueryResult result{};
  constexpr unsigned kVersion = 12000;
  TW_CUDA(cudaGetDriverEntryPointByVersion(name, &found, kVersion, cudaEnableDefault, &result));
  if (result != cudaDriverEntryPointSuccess) TW_FAIL(CudaError, "the CUDA driver has no ", name);
  function = reinterpret_cast<Function*>(found);
}

const Contexts& contexts() {
  static const Contexts found = [] {
    Contexts contexts;
    find_in_driver("cuCtxGetCurrent", contexts.get);
    find_in_driver("cuCtxSetCurrent", contexts.set);
    return contexts;
  }();
  return found;
}

}  // namespace

std::string summary() {
  std::string text = "CUDA " + version(CUDART_VERSION) + " for sm_" TW_CUDA_ARCHITECTURES ": ";
  try {
    return text + devices();
  } catch (const Error& error) {
    return text + error.what();
  }
}

std::string unavailable() {
  int driver = 0, count = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) return "no CUDA driver here";
  const cudaError_t result = cudaGetDeviceCount(&count);
  if (result == cudaSuccess) return count > 0 ? "" : "no CUDA device here";
  cudaGetLastError();
  return detail::concat("no CUDA device here: ", cudaGetErrorString(result));
}

CurrentDevice::CurrentDevice(std::uint32_t device) {
  int current = 0;
  TW_CUDA(cudaGetDevice(&current));
  if (current == static_cast<int>(device)) return;
  contexts().get(reinterpret_cast<CUcontext*>(&before_));
  TW_CUDA(cudaSetDevice(static_cast<int>(device)));
  changed_ = true;
}

CurrentDevice::~CurrentDevice() {
  if (changed_) contexts().set(static_cast<CUcontext>(before_));
}

}  // namespace tw::cuda
