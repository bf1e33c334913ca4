// What makes two trainings the same one, as text: compared between ranks at the start, and between a checkpoint and the
// run that goes on from it.
#pragma once

#include <cstdint>
#include <string>

#include "trainer/dataset.hpp"
#include "trainer/options.hpp"

namespace tw::trainer {

/// One line a fact, so that the first difference can be named. How bytes travel, buckets and threads are not part of
/// it.
std::string describe_training(const TrainOptions& options, const Dataset& dataset, std::uint32_t ranks);

}  // namespace tw::trainer
