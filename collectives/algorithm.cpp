#include "collectives/algorithm.hpp"

#include <algorithm>

#include "collectives/algorithms/all_gather_reduce.hpp"
#include "collectives/algorithms/ring.hpp"
#include "collectives/algorithms/two_shot.hpp"
#include "kernels/base/check.hpp"

namespace tw {

std::span<const Algorithm* const> algorithm_table() {
  static const TwoShot two_shot;
  static const Ring ring;
  static const AllGatherReduce all_gather_reduce;
  static const Algorithm* const table[] = {&two_shot, &ring, &all_gather_reduce};
  return table;
}

const Algorithm& find_algorithm(std::string_view name) {
  std::string known;
  for (const Algorithm* algorithm : algorithm_table()) {
    if (algorithm->name() == name) return *algorithm;
    known += (known.empty() ? "" : ", ") + std::string(algorithm->name());
  }
  TW_FAIL(UsageError, "unknown algorithm '", name, "'; known: ", known);
}

}  // namespace tw
