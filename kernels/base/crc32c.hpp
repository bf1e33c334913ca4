// CRC-32C (Castagnoli, polynomial 1EDC6F41 reflected, initial and final xor ffffffff), as in RFC 3720.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tw {

/// CRC of `bytes`, continuing from `crc` (0 to begin): crc32c(b, crc32c(a)) == crc32c(a followed by b).
/// Uses the processor's instruction in three interleaved streams where there is one.
std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t crc = 0);

/// The same by table, a byte at a time: the definition.
std::uint32_t crc32c_reference(std::span<const std::byte> bytes, std::uint32_t crc = 0);

/// CRC of A followed by B from the CRCs of both and B's length: CRC is linear over GF(2).
std::uint32_t crc32c_combine(std::uint32_t crc_a, std::uint32_t crc_b, std::uint64_t bytes_b);

}  // namespace tw
