// Where and how work runs: device, stream, workers, scratch memory. Whatever enqueues work takes an `Exec` first.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tw {

/// Which implementation of an op runs. All give the same bytes; `reference` is the definition.
enum class Backend : std::uint8_t { reference = 0, simd = 1, cuda = 2 };

/// Bits that kernels OR into `Exec::status`.
enum StatusBit : std::uint32_t {
  kStatusNonFinite = 1u << 0,   ///< a NaN or Inf was met in the input of an encode
  kStatusBadPayload = 1u << 1,  ///< a foreign payload held an index out of range or order; it was left out
  kStatusBadFrame = 1u << 2     ///< a foreign frame's header or checksum was not the expected one
};

class Arena;
class LaunchBatch;

/// An execution place. Cheap to copy; owns nothing. Calls that share one Exec must not run concurrently.
///
/// With `Backend::cuda` every pointer that an op is given, `status` and the arena's memory are the device's, and an op
/// only enqueues: it returns at once, allocates and synchronises nothing, and its results are there for whatever is
/// enqueued on `stream` behind it. Scratch memory may be handed to the next op of the same stream while this one still
/// uses it. While `batch` is open, ops are enqueued when it is closed.
/// The first call of an op is an exception: CUDA then loads the code of its kernels, which may allocate and wait. Run a
/// step before one is timed or captured, or set CUDA_MODULE_LOADING=EAGER.
struct Exec {
  Backend backend = Backend::simd;
  std::uint32_t workers = 1;        ///< threads an op may use
  Arena* arena = nullptr;           ///< scratch memory; required by ops that say so
  std::uint32_t* status = nullptr;  ///< where kernels report findings (`StatusBit`); may be null
  std::uint32_t device = 0;         ///< CUDA's number of the device
  void* stream = nullptr;           ///< a cudaStream_t of that device; null is its default stream
  LaunchBatch* batch = nullptr;     ///< gathers kernels of many small jobs into few launches; may be null
};

}  // namespace tw
