#include "trainer/schedule.hpp"

#include <cmath>
#include <numbers>

#include "trainer/find_row.hpp"

namespace tw::trainer {

std::span<const Schedule> schedule_table() {
  static constexpr Schedule table[] = {
      {"constant", "the same learning rate at every step", [](double) { return 1.0; }, false},
      {"cosine", "half a cosine from the learning rate down to 0 (Loshchilov and Hutter 2017)",
       [](double done) { return 0.5 * (1.0 + std::cos(std::numbers::pi * done)); }, true},
  };
  return table;
}

const Schedule& find_schedule(std::string_view name) { return find_row(schedule_table(), name, "schedule"); }

}  // namespace tw::trainer
