// The threads of libtorch's arithmetic, and its version.
#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <torch/version.h>

#include "trainer/model.hpp"

namespace tw::trainer {

void set_compute_threads(std::uint32_t threads) {
  at::set_num_threads(static_cast<int>(threads));
  // A BLAS with threads of its own does not listen to torch; it is found by name because torch may carry another one.
  using SetThreads = void (*)(int);
  if (const auto set = reinterpret_cast<SetThreads>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads")))
    set(static_cast<int>(threads));
}

std::string compute_library() { return "libtorch " TORCH_VERSION; }

}  // namespace tw::trainer
