#include "tools/device.hpp"

#include <charconv>
#include <optional>

#include "kernels/base/check.hpp"
#include "kernels/cuda/device.hpp"

namespace tw {

DeviceChoice parse_device(std::string_view text) {
  constexpr std::string_view kNumbered = "cuda:";
  if (text == "cpu") return {};
  if (text == "cuda") return {Backend::cuda, {}};
  std::uint32_t number = 0;
  const char* end = text.data() + text.size();
  const bool numbered = text.starts_with(kNumbered);
  const auto read = std::from_chars(text.data() + (numbered ? kNumbered.size() : text.size()), end, number);
  TW_CHECK(numbered && read.ec == std::errc() && read.ptr == end, UsageError, "--device is '", text,
           "'; it must be cpu, cuda or cuda:N");
  return {Backend::cuda, number};
}

Exec place_of(const DeviceChoice& choice, std::uint32_t local_rank) {
  if (choice.backend != Backend::cuda) return {};
  const std::string missing = cuda::unavailable();
  TW_CHECK(missing.empty(), CudaError, "--device cuda: ", missing);
  const std::uint32_t count = cuda::device_count();
  const std::uint32_t number = choice.number.value_or(local_rank % count);
  TW_CHECK(number < count, UsageError, "--device cuda:", number, ": the devices here are cuda:0 to cuda:", count - 1);
  return {.backend = Backend::cuda, .device = number};
}

std::string device_name(const Exec& exec) {
  return exec.backend == Backend::cuda ? detail::concat("cuda:", exec.device) : "cpu";
}

// Such a transport takes the thread's current device.
TransportPtr connect_from(const Exec& place, const LaunchInfo& launch, const ConnectOptions& options) {
  std::optional<cuda::CurrentDevice> current;
  if (place.backend == Backend::cuda) current.emplace(place.device);
  return connect(launch, options);
}

}  // namespace tw
