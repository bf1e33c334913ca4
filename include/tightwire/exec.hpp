// Where and how work runs: device, stream, workers, scratch memory. Whatever enqueues work takes an `Exec` first.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tw {

/// Which implementation of an op runs. All give the same bytes; `reference` is the definition.
enum class Backend : std::uint8_t { reference = 0, simd = 1 };

/// Bits that kernels OR into `Exec::status`.
enum StatusBit : std::uint32_t {
  kStatusNonFinite = 1u << 0,  ///< a NaN or Inf was met in the input of an encode
  kStatusBadPayload = 1u << 1  ///< a foreign payload held an index or code out of range; it was clamped
};

class Arena;

/// An execution place. Cheap to copy; owns nothing. Calls that share one Exec must not run concurrently.
struct Exec {
  Backend backend = Backend::simd;
  std::uint32_t workers = 1;        ///< threads an op may use
  Arena* arena = nullptr;           ///< scratch memory; required by ops that say so
  std::uint32_t* status = nullptr;  ///< where kernels report findings (`StatusBit`); may be null
};

}  // namespace tw
