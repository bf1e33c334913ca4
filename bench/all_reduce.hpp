// What `tightwire bench all_reduce` measures: the all-reduce of one tensor, through the public interface.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <tightwire/communicator.hpp>

#include "tools/device.hpp"

namespace tw {

/// One row to be: a tensor of `count` f32 under `options`, where `options.exec` says.
struct AllReduceCase {
  std::uint64_t count = 0;
  std::uint64_t iterations = 20;
  std::uint64_t warmup = 5;
  CommunicatorOptions options;
};

/// What all ranks measured together. Times are of whole steps, begin_step to end_step, the vote included: for each
/// iteration the slowest rank's, then the mean over iterations.
struct AllReduceResult {
  double seconds = 0;
  double median_seconds = 0, lowest_seconds = 0, highest_seconds = 0;
  double encode_seconds = 0, comm_seconds = 0, decode_seconds = 0;  ///< what the caller waited for: means over ranks
  std::uint64_t wire_bytes = 0;  ///< an iteration, headers and vote included: of the rank that sends most
  double relative_error = 0;     ///< of the first step, L2 against the exact mean: of the worst rank
  std::uint64_t wrong = 0;       ///< elements, over ranks, that are not the exact mean
  bool timed = true;             ///< false where no GPU did the work of a device: then all times are NaN
};

/// Makes `place` the one where the tensor lies and is coded, with as many workers as the case had.
void put(AllReduceCase& one, Exec place);

/// Runs one case on one rank; collective. All ranks return the same.
AllReduceResult measure_all_reduce(TransportPtr transport, const AllReduceCase& one);

/// Runs one case with every rank a thread of this process, put where `device` says.
AllReduceResult measure_on_threads(std::uint32_t ranks, const ConnectOptions& connect, const AllReduceCase& one,
                                   const DeviceChoice& device = {});

}  // namespace tw
