#include "kernels/cuda/device_buffer.hpp"

#include <algorithm>

#include "kernels/base/check.hpp"
#include "kernels/cuda/batch.hpp"
#include "kernels/cuda/device.hpp"
#include "kernels/cuda/error.hpp"

namespace tw::cuda {
namespace {

void require_no_open_batch(const Exec& exec, const char* what) {
  TW_CHECK(exec.batch == nullptr || !exec.batch->is_open(), UsageError, what,
           " would overtake the kernels that this Exec's batch gathers: close it first");
}

// A resource never gives null.
std::size_t at_least_one(std::size_t bytes) { return std::max<std::size_t>(bytes, 1); }

}  // namespace

void* DeviceMemory::do_allocate(std::size_t bytes, std::size_t) {
  const CurrentDevice current(device_);
  void* address = nullptr;
  TW_CUDA(cudaMalloc(&address, at_least_one(bytes)));
  return address;
}

void DeviceMemory::do_deallocate(void* address, std::size_t, std::size_t) { cudaFree(address); }

void* PinnedMemory::do_allocate(std::size_t bytes, std::size_t) {
  void* address = nullptr;
  TW_CUDA(cudaHostAlloc(&address, at_least_one(bytes), cudaHostAllocPortable | cudaHostAllocMapped));
  return address;
}

void PinnedMemory::do_deallocate(void* address, std::size_t, std::size_t) { cudaFreeHost(address); }

void fill_zero(const Exec& exec, std::span<std::byte> bytes) {
  if (bytes.empty()) return;
  require_no_open_batch(exec, "zeroing");
  const CurrentDevice current(exec.device);
  TW_CUDA(cudaMemsetAsync(bytes.data(), 0, bytes.size(), static_cast<cudaStream_t>(exec.stream)));
}

void copy_bytes(const Exec& exec, std::span<const std::byte> from, std::span<std::byte> to) {
  require_no_open_batch(exec, "a copy");
  const CurrentDevice current(exec.device);
  TW_CUDA(
      cudaMemcpyAsync(to.data(), from.data(), from.size(), cudaMemcpyDefault, static_cast<cudaStream_t>(exec.stream)));
}

}  // namespace tw::cuda
