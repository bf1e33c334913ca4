// How well a model does on a data set's test split, one rank's share of it.
#pragma once

#include <cstdint>

#include "trainer/dataset.hpp"
#include "trainer/model.hpp"

namespace tw::trainer {

/// The sums over samples [count * rank / ranks, count * (rank + 1) / ranks) of the test split: shares of all ranks add
/// up to the whole.
Evaluation evaluate_share(Model& model, const Dataset& dataset, std::uint32_t rank, std::uint32_t ranks);

}  // namespace tw::trainer
