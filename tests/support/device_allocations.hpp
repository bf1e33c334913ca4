// How much device and pinned memory a program takes, and what it copies off devices. Linking it replaces cudaMalloc,
// cudaHostAlloc and cudaMemcpyAsync for the program's own code.
#pragma once

#include <cstdint>
#include <iosfwd>

namespace tw::test {

/// Calls, and the bytes of all of them, since the program began.
struct Taken {
  std::uint64_t calls = 0, bytes = 0;
  friend bool operator==(const Taken&, const Taken&) = default;
  friend Taken operator-(const Taken& later, const Taken& earlier) {
    return {later.calls - earlier.calls, later.bytes - earlier.bytes};
  }
};
void PrintTo(const Taken& taken, std::ostream* out);

/// Thread safe.
Taken device_memory_taken();
Taken pinned_memory_taken();
/// Of copies in the order of a stream, from a device to the host.
Taken copied_off_devices();

}  // namespace tw::test
