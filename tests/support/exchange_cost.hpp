// What an exchange costs by the formulas of COSTS.md, for all buckets of a group.
#pragma once

#include <functional>

#include "collectives/algorithm.hpp"
#include "tests/support/exchange.hpp"

namespace tw::test {

/// Calls `visit` with the plan of every bucket of a group.
void for_each_plan(const GroupSpec& spec, const std::function<void(const BucketPlan&)>& visit);

/// What `rank` sends in a step, without the vote. Steps are those of the buckets one after another.
Cost cost_by_formula(const GroupSpec& spec, std::uint32_t rank, Route route);

}  // namespace tw::test
