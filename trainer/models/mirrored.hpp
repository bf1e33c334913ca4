// A model that computes on the host while its values and gradients lie on a CUDA device. Slower than either alone; it
// runs the exchange, the optimiser and everything round them on a device where no libtorch does.
#pragma once

#include <cstdint>
#include <memory>

#include "trainer/model.hpp"

namespace tw::trainer {

/// `inner` computes on the host. Throws CudaError where there is no such device.
std::unique_ptr<Model> mirror_on_device(std::unique_ptr<Model> inner, std::uint32_t device);

}  // namespace tw::trainer
