// What stands in for trainer/torch where the build has no libtorch.
#include "kernels/base/check.hpp"
#include "trainer/model.hpp"
#include "trainer/torch/mlp.hpp"

namespace tw::trainer {

std::unique_ptr<Model> make_mlp(const MlpParams&, const ModelShape&) {
  TW_FAIL(UsageError,
          "model mlp needs libtorch, which this build has not: install libtorch-dev, or name a pip torch in ",
          "CMAKE_PREFIX_PATH, and configure with -DTW_TORCH=ON; model linear works without");
}

void set_compute_threads(std::uint32_t) {}

std::string compute_library() { return "none"; }

}  // namespace tw::trainer
