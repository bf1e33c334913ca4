#include "collectives/algorithm.hpp"

#include <algorithm>

#include "collectives/algorithms/two_shot.hpp"
#include "kernels/base/check.hpp"

namespace tw {

std::span<const Algorithm* const> algorithm_table() {
  static const TwoShot two_shot;
  static const Algorithm* const table[] = {&two_shot};
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
