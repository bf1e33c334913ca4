// A stand-in for libnccl whose ranks are threads of this process that share a device. A program that links it and
// exports its symbols has an NCCL "loaded already": the transport `nccl` takes it without being told.
//
// It keeps NCCL's rules for non-blocking communicators, and records whoever breaks them. Sends and receives match by
// pair and order; a group is "in progress" until all its peers have posted their part, which is stricter than NCCL, and
// until then moves nothing. Bytes move by copies on the receiver's stream. All-reduces add in the order of ranks.
#pragma once

#include <nccl.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace tw::test {

/// What goes wrong at one rank. "Calls" are sends, receives and all-reduces, counted from 1.
struct NcclFault {
  std::function<void()> before_joining = {};               ///< runs inside ncclCommInitRankConfig
  std::optional<ncclResult_t> joining_fails = {};          ///< returned by ncclCommInitRankConfig at once
  bool joining_hangs = false;                              ///< its communicator stays in progress for ever
  std::optional<std::uint64_t> failing_call = {};          ///< returns ncclInvalidArgument
  std::optional<std::uint64_t> error_after = {};           ///< this many calls the communicator has failed...
  ncclResult_t background_error = ncclUnhandledCudaError;  ///< ...with this
  bool finalizes_together = false;                         ///< only once all ranks do
};

/// The stand-in's controls. Thread safe.
class MockNccl {
 public:
  /// Begins anew: no faults, no violations. No communicator may be in use.
  static void reset();
  static void set_fault(std::uint32_t rank, NcclFault fault);
  /// What was done that NCCL forbids, in words.
  static std::vector<std::string> violations();
  /// From now on the rank's communicator has failed with this.
  static void strike(std::uint32_t rank, ncclResult_t error);
  /// Waits until the rank has asked so many times, from now on, how its communicator is.
  static void wait_for_polls(std::uint32_t rank, std::uint64_t polls);
  /// True while this rank has a communicator.
  static bool alive(std::uint32_t rank);
  /// True if this thread has left a group open.
  static bool group_is_open();
  /// Made and neither destroyed nor aborted.
  static std::size_t communicators();
  /// Aborted since `reset`.
  static std::size_t aborted();
};

}  // namespace tw::test
