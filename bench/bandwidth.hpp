// What this machine's memory gives to a number of threads: what every throughput is compared with.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace tw {

/// Runs one piece of work on each of some threads at the same time.
class Team {
 public:
  explicit Team(std::uint32_t threads);
  ~Team();
  std::uint32_t threads() const;
  /// Calls `work(thread)` on every thread and returns when all are done. Throws what the first of them threw.
  void run(const std::function<void(std::uint32_t thread)>& work);
  /// Seconds that this took.
  double seconds(const std::function<void(std::uint32_t thread)>& work);

 private:
  struct Shared;
  std::unique_ptr<Shared> shared_;
};

/// As many as this machine runs at a time, at least 1.
std::uint32_t all_cores();

/// Bytes a second, warm pages. `copied` counts what is copied once, not what is read and written.
struct Bandwidth {
  double read = 0, written = 0, copied = 0;
};

/// Middle value; of an even number the upper one.
double median_of(std::vector<double> values);

/// Reads `from` into registers, fills `to`, copies one into the other, each thread its own part: seconds of each.
double seconds_to_read(Team& team, std::span<const float> from);
double seconds_to_write(Team& team, std::span<float> to);
double seconds_to_copy(Team& team, std::span<const float> from, std::span<float> to);

/// The part of [0, count) that falls to `thread`, cut at multiples of `granule` (0: all of it falls to the first).
struct Part {
  std::uint64_t first, count;
};
Part part_of(std::uint64_t count, std::uint64_t granule, std::uint32_t thread, std::uint32_t threads);

}  // namespace tw
