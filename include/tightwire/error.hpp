// The exceptions of the library. Messages name the offending value and what would be accepted.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace tw {

/// Base of everything the library throws.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}

  /// True when the failure came after the vote: other ranks may have committed the step. Compare {step, hash} before
  /// going on.
  bool uncertain() const { return uncertain_; }
  void mark_uncertain() { uncertain_ = true; }

 private:
  bool uncertain_ = false;
};

/// The caller asked for something that cannot be: a bad spec, a wrong shape, calls out of order.
class UsageError : public Error {
 public:
  explicit UsageError(const std::string& message) : Error(message) {}
};

/// Bytes from outside are not what they claim to be: truncated, corrupted or foreign.
class WireError : public Error {
 public:
  explicit WireError(const std::string& message) : Error(message) {}
};

/// A rank is gone, silent past the deadline, or disagrees. `rank()` names it.
class PeerError : public Error {
 public:
  PeerError(std::uint32_t rank, const std::string& message) : Error(message), rank_(rank) {}
  std::uint32_t rank() const { return rank_; }

 private:
  std::uint32_t rank_;
};

/// The operating system or a library underneath failed (socket, file, UCX); the message holds its words.
class SystemError : public Error {
 public:
  explicit SystemError(const std::string& message) : Error(message) {}
};

/// A call of CUDA failed, or there is no CUDA to call: the message holds the call and CUDA's words. Work that was
/// enqueued before may be lost with it; the object that threw can be destroyed, and used again where CUDA allows it.
class CudaError : public Error {
 public:
  explicit CudaError(const std::string& message) : Error(message) {}
};

/// A call of NCCL failed, or NCCL reported a failure of what it does on its own: the message holds the call and NCCL's
/// words. Its communicator is of no use any more.
class NcclError : public Error {
 public:
  explicit NcclError(const std::string& message) : Error(message) {}
};

}  // namespace tw
