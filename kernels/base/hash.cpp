#include "kernels/base/hash.hpp"

#define XXH_INLINE_ALL  // no link-time dependency: a trainer may carry another xxHash
#include <xxhash.h>

namespace tw {

std::uint64_t hash64(std::span<const std::byte> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::uint64_t hash64(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

}  // namespace tw
