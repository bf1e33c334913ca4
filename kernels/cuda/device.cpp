#include "kernels/cuda/device.hpp"

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

}  // namespace

std::string summary() {
  std::string text = "CUDA " + version(CUDART_VERSION) + " for sm_" TW_CUDA_ARCHITECTURES ": ";
  try {
    return text + devices();
  } catch (const Error& error) {
    return text + error.what();
  }
}

std::uint32_t device_count() {
  int count = 0, driver = 0;
  TW_CUDA(cudaDriverGetVersion(&driver));
  TW_CHECK(driver != 0, CudaError, "there is no NVIDIA driver here, which CUDA needs");
  const cudaError_t result = cudaGetDeviceCount(&count);
  if (result == cudaErrorInsufficientDriver)
    TW_FAIL(CudaError, "the NVIDIA driver here serves CUDA ", version(driver), ", this build needs one for ",
            version(CUDART_VERSION));
  if (result != cudaErrorNoDevice) TW_CUDA(result);
  TW_CHECK(count > 0, CudaError, "there is no CUDA device here, or CUDA_VISIBLE_DEVICES hides it");
  return static_cast<std::uint32_t>(count);
}

CurrentDevice::CurrentDevice(std::uint32_t device) {
  TW_CUDA(cudaGetDevice(&before_));
  if (before_ == static_cast<int>(device)) return;
  TW_CUDA(cudaSetDevice(static_cast<int>(device)));
  changed_ = true;
}

CurrentDevice::~CurrentDevice() {
  if (changed_) cudaSetDevice(before_);
}

}  // namespace tw::cuda
