#include "kernels/cuda/facts.hpp"

#include <fstream>
#include <string_view>

#include "kernels/base/check.hpp"
#include "kernels/cuda/device.hpp"
#include "kernels/cuda/error.hpp"

namespace tw::cuda {
namespace {

std::string version(int number) { return detail::concat(number / 1000, ".", number % 1000 / 10); }

std::string runtime() {
  int number = 0;
  TW_CUDA(cudaRuntimeGetVersion(&number));
  return version(number);
}

std::string driver() {
  int number = 0;
  TW_CUDA(cudaDriverGetVersion(&number));
  std::string text = version(number), own;
  if (std::ifstream file("/sys/module/nvidia/version"); file >> own) text += " (" + own + ")";
  return text;
}

void check_there(std::uint32_t device) {
  int count = 0;
  const cudaError_t result = cudaGetDeviceCount(&count);
  if (result == cudaSuccess && device < static_cast<std::uint32_t>(count)) return;
  cudaGetLastError();
  TW_CHECK(result != cudaSuccess, CudaError, "there is no CUDA device ", device, " here; there are ", count,
           ", counted from 0");
  TW_FAIL(CudaError, "there is no CUDA device here: ", cudaGetErrorString(result), " (", cudaGetErrorName(result), ")");
}

}  // namespace

DeviceFacts device_facts(std::uint32_t device) {
  check_there(device);
  const CurrentDevice current(device);
  cudaDeviceProp properties;
  TW_CUDA(cudaGetDeviceProperties(&properties, static_cast<int>(device)));
  std::size_t free_bytes = 0, all_bytes = 0;
  TW_CUDA(cudaMemGetInfo(&free_bytes, &all_bytes));
  DeviceFacts facts;
  facts.name = properties.name;
  facts.architecture = detail::concat("sm_", properties.major, properties.minor);
  facts.runtime = runtime();
  facts.driver = driver();
  facts.multiprocessors = static_cast<std::uint32_t>(properties.multiProcessorCount);
  facts.memory_bytes = all_bytes;
  facts.free_bytes = free_bytes;
  facts.cache_bytes = static_cast<std::uint64_t>(properties.l2CacheSize);
  facts.interpreted = std::string_view(properties.name).starts_with("ptxrun");
  return facts;
}

}  // namespace tw::cuda
