// What `tightwire bench all_reduce` measures: the all-reduce of one tensor, through the public interface.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <tightwire/communicator.hpp>

namespace tw {

/// One row to be: a tensor of `count` f32 under `options`.
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
};

/// Runs one case on one rank; collective. All ranks return the same.
AllReduceResult measure_all_reduce(TransportPtr transport, const AllReduceCase& one);

/// Runs one case with every rank a thread of this process.
AllReduceResult measure_on_threads(std::uint32_t ranks, const ConnectOptions& connect, const AllReduceCase& one);

/// What a rank contributes: element i is value i % kPeriod. The sum over ranks, in any order, is exact in f32.
std::vector<float> contribution(std::uint32_t rank, std::uint32_t ranks, std::uint64_t count);
/// The mean of all contributions: exactly what a lossless all-reduce gives.
std::vector<float> exact_mean(std::uint32_t ranks, std::uint64_t count);
inline constexpr std::uint64_t kPeriod = 1000003;  // a prime, so that repeats do not fall together with blocks

}  // namespace tw
