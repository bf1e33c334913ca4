// From flags to running ranks: as threads of this process, or as this process's one rank of a launched job.
#pragma once

#include <ostream>

#include "trainer/metrics.hpp"
#include "trainer/options.hpp"

namespace tw::trainer {

/// Trains, on every rank that belongs to this process; the result is that of the lowest of them. Progress goes to
/// `told`. Throws the first error of any of them.
Summary run_job(const TrainOptions& options, std::ostream& told);

}  // namespace tw::trainer
