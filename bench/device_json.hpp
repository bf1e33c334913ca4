// A device in the JSON of what was measured on it.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "kernels/cuda/facts.hpp"

namespace tw {

nlohmann::ordered_json device_json(const cuda::DeviceFacts& facts);

}  // namespace tw
