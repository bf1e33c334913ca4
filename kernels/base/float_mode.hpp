// The floating-point mode of a thread. Bytes on the wire are defined with denormals and rounding to nearest, so whoever
// encodes or decodes sets that mode: a program linked with -ffast-math starts with denormals flushed to zero, and
// threads inherit the mode of the one that made them.
#pragma once

namespace tw {

enum class FloatMode {
  ieee,            ///< denormals kept, round to nearest even, no traps
  flush_denormals  ///< as the thread has it, but denormals are zeros
};

/// Sets the mode of the calling thread and puts the former one back.
class ScopedFloatMode {
 public:
  explicit ScopedFloatMode(FloatMode mode);
  ~ScopedFloatMode();
  ScopedFloatMode(const ScopedFloatMode&) = delete;
  ScopedFloatMode& operator=(const ScopedFloatMode&) = delete;

 private:
  unsigned long long former_;
};

}  // namespace tw
