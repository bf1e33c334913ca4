#include "bench/kernels/device_ops.hpp"

#include <algorithm>
#include <iostream>
#include <memory>

#include "bench/kernels/device_bench.hpp"
#include "bench/kernels/floors.hpp"
#include "bench/kernels/ops.hpp"
#include "bench/table.hpp"
#include "kernels/base/check.hpp"

namespace tw {
namespace {

constexpr std::uint64_t kBytesAnElement = 52;  // of OpBuffers and of scratch memory, rounded up
constexpr std::uint64_t kSmallest = 64 << 10, kLargest = std::uint64_t{1} << 30;

// Benchmarks of one size come one after another: the buffers of the size before are not kept.
OpBuffers& buffers_of(std::uint64_t count, const Exec& exec) {
  static std::unique_ptr<OpBuffers> buffers;
  if (!buffers || buffers->runs().front().count != count) {
    buffers.reset();  // first, so that there is room
    buffers = std::make_unique<OpBuffers>(std::span(&count, 1), exec);
  }
  return *buffers;
}

void measure(benchmark::State& state, DeviceBench& bench, const BenchmarkedOp& op, std::uint64_t count) {
  OpBuffers& buffers = buffers_of(count, bench.clock.exec());
  const Exec exec = buffers.exec(Backend::cuda);
  const Floor* floor = find_floor(op.name);
  const auto elements = static_cast<double>(count);
  time_on_device(state, bench, [&] { op.run(exec, buffers.runs().front()); },
                 {sizeof(float) * elements, floor == nullptr ? 0 : floor->bytes * elements});
}

void register_ops(DeviceBench& bench) {
  const std::uint64_t room = bench.clock.facts().free_bytes / kBytesAnElement * sizeof(float);
  for (std::uint64_t bytes = kSmallest; bytes <= std::min(kLargest, room); bytes *= 4) {
    const std::uint64_t count = bytes / sizeof(float);
    for (const BenchmarkedOp& op : benchmarked_ops())
      benchmark::RegisterBenchmark(
          (op.name + "/cuda/" + std::to_string(count)).c_str(),
          [&bench, op, count](benchmark::State& state) { or_skip(state, [&] { measure(state, bench, op, count); }); })
          ->UseManualTime()
          ->Iterations(kDeviceIterations);
  }
}

void say(const DeviceBench& bench, std::uint64_t bytes) {
  const auto rate = [&](double measured) {
    return bench.clock.tells_time() ? fixed(measured / 1e9, 1) + " GB/s" : std::string("none: ptxrun tells no time");
  };
  benchmark::AddCustomContext("device", described(bench.clock.facts()));
  benchmark::AddCustomContext("device_bandwidth_of", decimal_bytes(static_cast<double>(bytes)));
  benchmark::AddCustomContext("device_read", rate(bench.bandwidth.read));
  benchmark::AddCustomContext("device_written", rate(bench.bandwidth.written));
  benchmark::AddCustomContext("device_copied", rate(bench.bandwidth.copied));
}

}  // namespace

void register_device_benchmarks() {
  static std::unique_ptr<DeviceBench> bench;
  try {
    bench.reset(new DeviceBench{DeviceClock(0), {}});
  } catch (const CudaError& error) {
    std::cerr << "nothing for cuda: " << error.what() << '\n';
    return;
  }
  const bool timed = bench->clock.tells_time();
  const std::uint64_t bytes = timed ? std::min(kLargest, bench->clock.facts().free_bytes / 4) / 4096 * 4096 : 4096;
  bench->bandwidth = measure_bandwidth(bench->clock, bytes);
  say(*bench, bytes);
  register_ops(*bench);
  register_bucket_benchmarks(*bench);
}

}  // namespace tw
