// Floats where a model computes, on the host or on a device, and how the host gets to see them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <tightwire/exec.hpp>

#include "kernels/base/place.hpp"

namespace tw::trainer {

/// Owns `count` floats where `exec` works, zeros once its stream comes there.
class PlacedFloats {
 public:
  PlacedFloats() = default;
  PlacedFloats(const Exec& exec, std::uint64_t count);

  std::uint64_t count() const { return count_; }
  /// Addresses of the device where it is one.
  std::span<float> span() const { return {reinterpret_cast<float*>(block_.get()), count_}; }

 private:
  std::uint64_t count_ = 0;
  Block block_;
};

/// `values`, which lie where `exec` works, as the host can read them: themselves, or their copy in `staging`, for which
/// it waits.
std::span<const float> on_host(const Exec& exec, std::span<const float> values, std::vector<float>& staging);

}  // namespace tw::trainer
