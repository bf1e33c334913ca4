// A UCX that was built with CUDA, where there is none. A program that links ucx_cuda.cpp has the library's calls to UCX
// pass through it: contexts report CUDA memory unless their UCX_TLS leaves it out, and the real UCX moves what lies in
// device memory from and to host memory. The stand-in copies it there and back as a network card would, at once and
// beside all streams, and writes into a receive's room from the moment it is posted. Where the real UCX has CUDA and a
// device, it moves everything itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tw::test {

/// The stand-in's controls. Thread safe.
class UcxCuda {
 public:
  /// Begins anew: contexts made from now on report CUDA memory or not; nothing is counted.
  static void reset(bool reports_cuda);
  /// Messages in device memory that were handed over to UCX, parts counting as messages, and fetched by it.
  static std::uint64_t sent();
  static std::uint64_t fetched();
  /// Writes over device memory as a network card would, at once and beside all streams.
  static void overwrite(std::span<std::byte> bytes);
  /// What was done that a UCX with CUDA would have fallen over, in words.
  static std::vector<std::string> violations();
};

}  // namespace tw::test
