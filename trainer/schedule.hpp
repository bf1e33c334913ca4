// The learning rate of each step, and the table that `--schedule` names.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace tw::trainer {

/// A row: what part of the given learning rate is used after `done` (in [0, 1)) of all steps.
struct Schedule {
  std::string_view name;
  std::string_view summary;
  double (*factor)(double done);
  bool needs_total;  ///< the factor depends on how many steps there are in all
};

std::span<const Schedule> schedule_table();
/// UsageError lists the known ones.
const Schedule& find_schedule(std::string_view name);

}  // namespace tw::trainer
