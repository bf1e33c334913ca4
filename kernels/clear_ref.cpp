#include <cstring>

#include "kernels/clear.hpp"

namespace tw::reference {

void clear_bytes(const Exec&, std::span<std::byte> bytes) {
  if (!bytes.empty()) std::memset(bytes.data(), 0, bytes.size());
}

}  // namespace tw::reference
