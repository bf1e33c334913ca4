// Where a rank's gradients lie and are coded, and how it connects from there: what --device says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <tightwire/connect.hpp>
#include <tightwire/exec.hpp>

namespace tw {

/// "cpu", "cuda" or "cuda:N".
struct DeviceChoice {
  Backend backend = Backend::simd;
  std::optional<std::uint32_t> number;  ///< CUDA's; none: each rank of a machine takes the next
};

/// Throws UsageError for other words.
DeviceChoice parse_device(std::string_view text);

/// The place of the rank that is number `local_rank` on its machine. Throws CudaError that says what is missing (CUDA
/// in the build, a driver that is new enough, a device), UsageError for a number that no device has.
Exec place_of(const DeviceChoice& choice, std::uint32_t local_rank);

/// "cpu" or "cuda:N".
std::string device_name(const Exec& exec);

/// `connect` from a rank's place: a transport that moves device memory takes the device there, unless its spec names
/// another.
TransportPtr connect_from(const Exec& place, const LaunchInfo& launch, const ConnectOptions& options);

}  // namespace tw
