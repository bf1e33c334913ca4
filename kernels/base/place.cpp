#include "kernels/base/place.hpp"

#include <array>
#include <cstring>
#include <utility>

#include "kernels/base/check.hpp"
#include "kernels/cuda/device_buffer.hpp"
#include "kernels/cuda/stream.hpp"

namespace tw {
namespace {

constexpr std::uint32_t kMostDevices = 64;

template <std::uint32_t... device>
std::pmr::memory_resource& device_memory(std::uint32_t of, std::integer_sequence<std::uint32_t, device...>) {
  static std::array<cuda::DeviceMemory, sizeof...(device)> memories{cuda::DeviceMemory(device)...};
  return memories[of];
}

}  // namespace

std::pmr::memory_resource& memory_of(Residence residence, std::uint32_t device) {
  static cuda::PinnedMemory pinned;
  TW_CHECK(device < kMostDevices, UsageError, "device ", device, "; devices are 0 to ", kMostDevices - 1);
  if (residence == Residence::host) return *std::pmr::new_delete_resource();
  if (residence == Residence::pinned) return pinned;
  return device_memory(device, std::make_integer_sequence<std::uint32_t, kMostDevices>());
}

Block allocate_block(std::pmr::memory_resource& memory, std::size_t bytes) {
  auto* block = static_cast<std::byte*>(memory.allocate(bytes, FreeBlock::kAlignment));
  return Block(block, FreeBlock{&memory, bytes});
}

void copy_bytes(const Exec& exec, std::span<const std::byte> from, std::span<std::byte> to) {
  if (exec.backend == Backend::cuda) return cuda::copy_bytes(exec, from, to);
  if (!from.empty()) std::memcpy(to.data(), from.data(), from.size());
}

void fill_zero(const Exec& exec, std::span<std::byte> bytes) {
  if (exec.backend == Backend::cuda) return cuda::fill_zero(exec, bytes);
  if (!bytes.empty()) std::memset(bytes.data(), 0, bytes.size());
}

void synchronize(const Exec& exec) {
  if (exec.backend == Backend::cuda) cuda::synchronize(exec);
}

}  // namespace tw
