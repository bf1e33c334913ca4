// Memory by where it lies, and how bytes get from one place to another: what lets the same code keep frames and
// residuals on the host and on a device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <span>

#include <tightwire/exec.hpp>

namespace tw {

/// Pinned memory is the host's, and copies between it and a device need not wait for each other.
enum class Residence : std::uint8_t { host, pinned, device };

/// Where the kernels of an Exec work.
constexpr Residence residence_of(const Exec& exec) {
  return exec.backend == Backend::cuda ? Residence::device : Residence::host;
}

/// Gives out memory; lives for ever. Allocating and freeing what is no plain host memory may wait for a device.
std::pmr::memory_resource& memory_of(Residence residence, std::uint32_t device = 0);

/// Gives a block back to where it came from.
struct FreeBlock {
  std::pmr::memory_resource* memory;
  std::size_t bytes;
  void operator()(std::byte* block) const { memory->deallocate(block, bytes, kAlignment); }
  static constexpr std::size_t kAlignment = 64;
};
/// `bytes` uninitialised bytes, aligned to 64.
using Block = std::unique_ptr<std::byte[], FreeBlock>;
Block allocate_block(std::pmr::memory_resource& memory, std::size_t bytes);

/// Copies between places that `exec` reaches: at once on the host, on its stream where that works on a device. Equal
/// lengths.
void copy_bytes(const Exec& exec, std::span<const std::byte> from, std::span<std::byte> to);
template <class T>
void copy(const Exec& exec, std::span<const T> from, std::span<T> to) {
  copy_bytes(exec, std::as_bytes(from), std::as_writable_bytes(to));
}
/// Zeroes memory where `exec` works.
void fill_zero(const Exec& exec, std::span<std::byte> bytes);
/// Blocks until what was enqueued with `exec` is done; nothing on the host. Not for the steady state.
void synchronize(const Exec& exec);

}  // namespace tw
