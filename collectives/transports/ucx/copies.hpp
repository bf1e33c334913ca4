// Copies between memory of devices and of the host, where UCX lays small messages and this rank keeps what nobody has
// asked for yet. They have streams of their own: a message must not wait for a kernel.
#pragma once

#include <cstdint>
#include <list>
#include <optional>

#include <tightwire/exec.hpp>

#include "collectives/failure.hpp"
#include "kernels/cuda/stream.hpp"

namespace tw::ucx {

/// Not thread safe. Destroying it waits for all copies.
class CopyStreams {
 public:
  CopyStreams() = default;
  ~CopyStreams() { settle(); }
  CopyStreams(const CopyStreams&) = delete;
  CopyStreams& operator=(const CopyStreams&) = delete;

  /// Where copies to and from a device's memory go; stays as long as this. Throws CudaError where there is no such
  /// device.
  const Exec& of(std::uint32_t device);
  /// What a device that failed says, which UCX may have met in a message before.
  std::optional<Failure> failure() const;
  /// Blocks until all copies are done. Never throws: a device that failed copies nothing more.
  void settle() noexcept;

 private:
  struct Lane {
    explicit Lane(std::uint32_t device) : stream(device) {
      place = {.backend = Backend::cuda, .device = device, .stream = stream.get()};
    }
    cuda::Stream stream;
    Exec place;
  };
  std::list<Lane> lanes_;  // one a device
};

}  // namespace tw::ucx
