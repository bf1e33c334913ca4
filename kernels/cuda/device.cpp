#include "kernels/cuda/device.hpp"

#include "kernels/cuda/error.hpp"

namespace tw::cuda {

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
