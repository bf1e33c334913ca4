#include "bench/kernels/device_bench.hpp"

#include <exception>
#include <vector>

namespace tw {

void time_on_device(benchmark::State& state, DeviceBench& bench, const std::function<void()>& work,
                    const DeviceBytes& bytes) {
  work();  // loads code, and scratch memory grows
  synchronize(bench.clock.exec());
  if (!bench.clock.tells_time()) return state.SkipWithError("ptxrun: no time");
  std::vector<double> times;
  for ([[maybe_unused]] auto step : state) {
    times.push_back(bench.clock.seconds(work));
    state.SetIterationTime(times.back());
  }
  const double seconds = median_of(times);
  state.counters["GB/s"] = bytes.values / seconds / 1e9;
  state.counters["of_copy"] = bytes.values / seconds / bench.bandwidth.copied;
  if (bytes.floor > 0) state.counters["of_floor"] = bytes.floor / (2 * bench.bandwidth.copied) / seconds;
  state.counters["median_us"] = seconds * 1e6;
}

void or_skip(benchmark::State& state, const std::function<void()>& benchmark) {
  try {
    benchmark();
  } catch (const std::exception& error) {
    state.SkipWithError(error.what());
  }
}

}  // namespace tw
