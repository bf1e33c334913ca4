#include "kernels/cuda/stream.hpp"

#include "kernels/cuda/device.hpp"
#include "kernels/cuda/error.hpp"

namespace tw::cuda {

void destroy_stream(void* stream) { cudaStreamDestroy(static_cast<cudaStream_t>(stream)); }

Stream::Stream(std::uint32_t device) : device_(device) {
  const CurrentDevice current(device);
  cudaStream_t stream = nullptr;
  TW_CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  handle_.reset(stream);
}

void Stream::settle() const noexcept { cudaStreamSynchronize(static_cast<cudaStream_t>(get())); }

void synchronize(const Exec& exec) {
  const CurrentDevice current(exec.device);
  TW_CUDA(cudaStreamSynchronize(static_cast<cudaStream_t>(exec.stream)));
}

}  // namespace tw::cuda
