// The threads, devices and streams of libtorch's arithmetic, and its version.
#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <torch/version.h>
#if TW_TORCH_HAS_CUDA
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>
#endif

#include "kernels/base/check.hpp"
#include "trainer/model.hpp"
#include "trainer/torch/device.hpp"

namespace tw::trainer {

void set_compute_threads(std::uint32_t threads) {
  at::set_num_threads(static_cast<int>(threads));
  // A BLAS with threads of its own does not listen to torch; it is found by name because torch may carry another one.
  using SetThreads = void (*)(int);
  if (const auto set = reinterpret_cast<SetThreads>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads")))
    set(static_cast<int>(threads));
}

std::string compute_library() { return "libtorch " TORCH_VERSION; }

#if TW_TORCH_HAS_CUDA
void use_device(const Exec& exec) {
  if (exec.backend != Backend::cuda) return;
  const auto count = static_cast<std::uint32_t>(c10::cuda::device_count());
  TW_CHECK(exec.device < count, CudaError, compute_library(), " finds ", count,
           " CUDA devices, and no cuda:", exec.device, " among them");
  c10::cuda::set_device(static_cast<c10::DeviceIndex>(exec.device));
}

Exec on_current_stream(const Exec& place) {
  Exec exec = place;
  if (place.backend == Backend::cuda)
    exec.stream = c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(place.device)).stream();
  return exec;
}
#else
void use_device(const Exec& exec) {
  TW_CHECK(exec.backend != Backend::cuda, UsageError, compute_library(),
           " has no CUDA: name one that has (such as a pip torch) in CMAKE_PREFIX_PATH, or use --device cpu; model "
           "linear works without");
}

Exec on_current_stream(const Exec& place) { return place; }
#endif

}  // namespace tw::trainer
