// What the benchmarks on a device share: the clock, and how times become counters.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>

#include "bench/device_clock.hpp"

namespace tw {

/// One for all benchmarks of a device; they run one after another.
struct DeviceBench {
  DeviceClock clock;
  Bandwidth bandwidth;
};

/// How often each is measured: medians settle, and all of them take seconds.
inline constexpr std::int64_t kDeviceIterations = 30;

struct DeviceBytes {
  double values = 0;  ///< f32 that are worked on
  double floor = 0;   ///< that must be read or written; 0: not known
};

/// Times `work` as often as Google Benchmark wants and sets the counters, from the median of the times: `GB/s` of
/// values, `of_copy` (that over the bytes a second that the device copies), `of_floor` (the share of the time that the
/// floor takes, read and written as fast as copies do) and `median_us`. Where no GPU runs the work it is run once, and
/// the benchmark ends as an error that says why there is no figure.
void time_on_device(benchmark::State& state, DeviceBench& bench, const std::function<void()>& work,
                    const DeviceBytes& bytes);

/// Runs `benchmark`; what it throws ends this one alone, as an error of Google Benchmark's.
void or_skip(benchmark::State& state, const std::function<void()>& benchmark);

/// bucket/CODEC/HOW: a whole encode with error feedback of a bucket of small and large tensors, with HOW its kernels
/// are launched: each on its own or gathered (`LaunchBatch`), enqueued each time or from graphs (`CapturedWork`). The
/// counter `enqueue_us` is the host's median time for one encode.
void register_bucket_benchmarks(DeviceBench& bench);

}  // namespace tw
