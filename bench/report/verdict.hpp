// The sentences of a report: what pays on this link, and plainly when nothing does.
#pragma once

#include <string>

#include "bench/report/model.hpp"

namespace tw::report {

/// A gain below this share of the step is not told from noise.
inline constexpr double kNoise = 0.03;
/// Test accuracy that a codec may lose, in points of a hundred, before the loss is the news.
inline constexpr double kAccuracyPoints = 1.0;

std::string verdict(const TrainingGroup& group);
/// At the largest size, against the uncompressed codec; empty where that was not measured.
std::string verdict(const ReductionSet& set);

}  // namespace tw::report
