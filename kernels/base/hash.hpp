// XXH3-64 (xxHash): what plans, specs, parameter tables and checkpoints are compared by. Not a checksum of the wire
// (that is CRC-32C) and no defence against forgery.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace tw {

/// Seed 0; the same on every machine.
std::uint64_t hash64(std::span<const std::byte> bytes);
std::uint64_t hash64(std::string_view text);

}  // namespace tw
