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

std::uint32_t device_count() {
  const std::string missing = unavailable();
  TW_CHECK(missing.empty(), CudaError, missing);
  int count = 0;
  TW_CUDA(cudaGetDeviceCount(&count));
  return static_cast<std::uint32_t>(count);
}

void require_usable(const Exec& exec) {
  const std::uint32_t devices = device_count();
  TW_CHECK(exec.device < devices, CudaError, "there is no CUDA device ", exec.device, "; devices are 0 to ",
           devices - 1);
  int device = 0;
  if (exec.stream == nullptr) return;
  TW_CUDA(cudaStreamGetDevice(static_cast<cudaStream_t>(exec.stream), &device));
  TW_CHECK(device == static_cast<int>(exec.device), UsageError, "the stream is one of CUDA device ", device,
           ", gradients lie on device ", exec.device);
}

void require_reachable(const Exec& exec, const void* address, std::string_view tensor) {
  cudaPointerAttributes found{};
  TW_CUDA(cudaPointerGetAttributes(&found, address));
  TW_CHECK(found.type != cudaMemoryTypeUnregistered, UsageError, "'", tensor,
           "' lies in pageable host memory, which CUDA kernels do not reach; expected memory of device ", exec.device);
  TW_CHECK(found.type != cudaMemoryTypeDevice || found.device == static_cast<int>(exec.device), UsageError, "'", tensor,
           "' lies on CUDA device ", found.device, "; expected memory of device ", exec.device);
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
