#include "tests/support/loaded_kernels.hpp"

#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <mutex>
#include <set>

namespace tw::test {
namespace {

struct Kernels {
  std::mutex mutex;
  std::set<std::pair<int, const void*>> loaded;  // by device
  std::size_t launches = 0, launches_of_others = 0;
};

Kernels& kernels() {
  static Kernels all;
  return all;
}

int current_device() {
  int device = 0;
  cudaGetDevice(&device);
  return device;
}

template <class Function>
Function* real(Function*, const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

std::size_t kernel_launches() {
  const std::lock_guard lock(kernels().mutex);
  return kernels().launches;
}

std::size_t launches_that_load() {
  const std::lock_guard lock(kernels().mutex);
  return kernels().launches_of_others;
}

}  // namespace tw::test

extern "C" {

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* kernel) {
  using namespace tw::test;
  {
    const std::lock_guard lock(kernels().mutex);
    kernels().loaded.insert({current_device(), kernel});
  }
  return real(&cudaFuncGetAttributes, "cudaFuncGetAttributes")(attributes, kernel);
}

cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* config, const void* kernel, void** parameters) {
  using namespace tw::test;
  {
    const std::lock_guard lock(kernels().mutex);
    ++kernels().launches;
    if (!kernels().loaded.contains({current_device(), kernel})) ++kernels().launches_of_others;
  }
  return real(&cudaLaunchKernelExC, "cudaLaunchKernelExC")(config, kernel, parameters);
}

}  // extern "C"
