// Memory of a device: as a resource that arenas grow from, as an owned array, and copies to and from it. No CUDA
// header, so that any file may include it. Addresses are the device's: host code must not read or write there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <utility>

#include <tightwire/exec.hpp>

namespace tw::cuda {

/// Gives out memory of one device, aligned to 256 bytes, uninitialised. `Arena(memory)` is then scratch memory for
/// `Exec::arena`. Allocating and freeing may wait for the device: not for the steady state.
class DeviceMemory final : public std::pmr::memory_resource {
 public:
  explicit DeviceMemory(std::uint32_t device = 0) : device_(device) {}

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void do_deallocate(void* address, std::size_t bytes, std::size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

  std::uint32_t device_;
};

/// Gives out pinned host memory, which kernels reach too: copies to and from a device need not wait for each other.
class PinnedMemory final : public std::pmr::memory_resource {
 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void do_deallocate(void* address, std::size_t bytes, std::size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }
};

/// Owns `count` uninitialised elements on a device.
template <class T>
class DeviceBuffer {
 public:
  explicit DeviceBuffer(std::size_t count, std::uint32_t device = 0)
      : memory_(device), data_(static_cast<T*>(memory_.allocate(count * sizeof(T)))), count_(count) {}
  ~DeviceBuffer() { memory_.deallocate(data_, count_ * sizeof(T)); }
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;

  std::span<T> span() const { return {data_, count_}; }

 private:
  DeviceMemory memory_;
  T* data_;
  std::size_t count_;
};

/// Enqueues a copy between host and device or within one, by what the addresses are. Pageable host memory makes it
/// block. Throws UsageError while the batch of `exec` is open.
void copy_bytes(const Exec& exec, std::span<const std::byte> from, std::span<std::byte> to);
/// The same for elements; equal lengths.
template <class T>
void copy(const Exec& exec, std::span<const T> from, std::span<T> to) {
  cuda::copy_bytes(exec, std::as_bytes(from), std::as_writable_bytes(to));
}

/// Enqueues zeroing of device memory. Throws UsageError while the batch of `exec` is open (kernels/clear.hpp may go
/// there).
void fill_zero(const Exec& exec, std::span<std::byte> bytes);

}  // namespace tw::cuda
