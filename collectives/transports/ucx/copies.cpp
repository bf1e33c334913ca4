#include "collectives/transports/ucx/copies.hpp"

#include <algorithm>

namespace tw::ucx {

const Exec& CopyStreams::of(std::uint32_t device) {
  const auto lane =
      std::find_if(lanes_.begin(), lanes_.end(), [&](const Lane& made) { return made.place.device == device; });
  return lane != lanes_.end() ? lane->place : lanes_.emplace_back(device).place;
}

void CopyStreams::settle() noexcept {
  for (const Lane& lane : lanes_) try {
      cuda::synchronize(lane.place);
    } catch (...) {
    }
}

}  // namespace tw::ucx
