// How a name chooses a row of a table of models, data sets, schedules.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "kernels/base/check.hpp"

namespace tw::trainer {

/// Throws UsageError that lists the known names; `kind` says of what.
template <class Row>
const Row& find_row(std::span<const Row> table, std::string_view name, std::string_view kind) {
  std::string known;
  for (const Row& row : table) {
    if (row.name == name) return row;
    known.append(known.empty() ? "" : ", ").append(row.name);
  }
  TW_FAIL(UsageError, "unknown ", kind, " '", name, "'; known are: ", known);
}

}  // namespace tw::trainer
