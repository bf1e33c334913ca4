#include "collectives/transports/ucx/copies.hpp"

#include <algorithm>

namespace tw::ucx {

const Exec& CopyStreams::of(std::uint32_t device) {
  const auto lane =
      std::find_if(lanes_.begin(), lanes_.end(), [&](const Lane& made) { return made.place.device == device; });
  return lane != lanes_.end() ? lane->place : lanes_.emplace_back(device).place;
}

std::optional<Failure> CopyStreams::failure() const {
  try {
    for (const Lane& lane : lanes_) cuda::synchronize(lane.place);
  } catch (const CudaError&) {
    return Failure::current();
  }
  return std::nullopt;
}

void CopyStreams::settle() noexcept {
  for (const Lane& lane : lanes_) try {
      cuda::synchronize(lane.place);
    } catch (...) {
    }
}

}  // namespace tw::ucx
