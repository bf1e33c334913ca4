#include "bench/device_json.hpp"

#include <nlohmann/json.hpp>

namespace tw {

nlohmann::ordered_json device_json(const cuda::DeviceFacts& facts) {
  return {{"name", facts.name},
          {"architecture", facts.architecture},
          {"runtime", facts.runtime},
          {"driver", facts.driver},
          {"multiprocessors", facts.multiprocessors},
          {"memory_bytes", facts.memory_bytes},
          {"cache_bytes", facts.cache_bytes}};
}

}  // namespace tw
