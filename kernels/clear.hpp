// Zeroes bytes: the padding of a body's arrays, a few at a time.
#pragma once

#include <cstddef>
#include <span>

#include "kernels/base/kernel.hpp"

namespace tw {

/// Any length and alignment.
using ClearBytes = void(const Exec&, std::span<std::byte> bytes);

namespace reference {
ClearBytes clear_bytes;
}
namespace cuda {
ClearBytes clear_bytes;
}

inline constexpr Kernel<ClearBytes> clear_bytes{reference::clear_bytes, reference::clear_bytes, cuda::clear_bytes};

}  // namespace tw
