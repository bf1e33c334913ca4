// From flags to running ranks: as threads of this process, as this process's one rank of a launched job, or, where
// nobody launched one, by launching it.
#pragma once

#include <cstdint>
#include <ostream>

#include <tightwire/launch.hpp>

#include "trainer/metrics.hpp"
#include "trainer/options.hpp"

namespace tw::trainer {

/// What this process has to do.
enum class Part : std::uint8_t {
  threads,  ///< all ranks, as threads
  rank,     ///< one rank: a launcher, or --rank, says which
  launcher  ///< start the ranks as processes, and wait for them
};

/// How many ranks there are, which of them run here, and over what.
struct JobPlan {
  Part part = Part::threads;
  std::uint32_t ranks = 1;
  std::string transport;  ///< never "auto"
  LaunchInfo launch;      ///< of Part::rank
};

/// `lookup` reads the environment. Throws UsageError where flags and launcher contradict each other.
JobPlan plan_job(const TrainOptions& options, const LaunchInfo::Lookup& lookup);

/// Trains on every rank that belongs to this process; the result is that of the lowest of them. Progress goes to
/// `told`. Throws the first error of any of them. Not for Part::launcher.
Summary run_job(const TrainOptions& options, const JobPlan& plan, std::ostream& told);

}  // namespace tw::trainer
