// The floating-point mode in which a rank trains: denormals are flushed to zero. Momentum decays into denormals and
// stays there (0.9 times the smallest denormal rounds to itself), and each costs a hundred cycles. Every rank trains in
// this mode on every machine, so parameters stay bit-equal.
#pragma once

namespace tw::trainer {

/// Sets the mode for the calling thread and puts the former one back. Threads started meanwhile inherit it: the
/// communicator, whose bytes must not depend on it, is made outside.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  unsigned long long former_;
};

}  // namespace tw::trainer
