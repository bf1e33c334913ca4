#include "collectives/select.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "collectives/registration.hpp"
#include "kernels/base/check.hpp"

namespace tw {
namespace {

// The link that the model assumes (COSTS.md): it only has to rank algorithms. Routes do not matter to it, so that
// results do not depend on where gradients lie.
constexpr double kSecondsPerStep = 50e-6;
constexpr double kBytesPerSecond = 1e9 / 8;

bool can_carry_all(const Algorithm& algorithm, const SelectionInput& input) {
  return std::all_of(input.params.begin(), input.params.end(), [&](const Param& param) {
    return algorithm.refusal(input.compressors.for_param(param).codec().traits(param)).empty();
  });
}

double seconds_of_slowest_rank(const Algorithm& algorithm, const SelectionInput& input) {
  const std::uint32_t owners = algorithm.owners(input.ranks);
  const auto planned = check_buckets(input.params, input.buckets, input.compressors, owners);
  std::vector<double> seconds(input.ranks);
  for (std::uint32_t b = 0; b < planned.size(); ++b) {
    const BucketPlan plan(b, planned[b], input.compressors, {owners, input.chunk_bytes});
    for (std::uint32_t rank = 0; rank < input.ranks; ++rank) {
      const Cost cost = algorithm.cost(plan, input.ranks, rank, Route::host_driven);
      seconds[rank] += kSecondsPerStep * cost.steps + static_cast<double>(cost.sent_bytes) / kBytesPerSecond;
    }
  }
  return *std::max_element(seconds.begin(), seconds.end());
}

}  // namespace

void check_algorithm_name(std::string_view name) {
  if (name == "auto") return;
  std::string known = "auto";
  for (const Algorithm* algorithm : algorithm_table()) {
    if (algorithm->name() == name) return;
    known += ", " + std::string(algorithm->name());
  }
  TW_FAIL(UsageError, "unknown algorithm '", name, "'; known: ", known);
}

const Algorithm& select_algorithm(std::string_view name, const SelectionInput& input) {
  if (name != "auto") {
    const Algorithm& algorithm = find_algorithm(name);
    check_legality(input.params, input.compressors, algorithm);
    return algorithm;
  }
  const Algorithm* best = nullptr;
  double least = std::numeric_limits<double>::infinity();
  for (const Algorithm* algorithm : algorithm_table()) {
    if (!can_carry_all(*algorithm, input)) continue;
    const double seconds = seconds_of_slowest_rank(*algorithm, input);
    if (seconds < least) best = algorithm, least = seconds;
  }
  return *best;  // two_shot carries everything
}

}  // namespace tw
