// Ops under Google Benchmark: OP/TARGET/COUNT, for every SIMD target of the machine and the reference, in L1, L2 and
// memory, and on a GPU where there is one (device_ops.hpp). `--benchmark_filter='int8/.*/AVX3'` and the like choose;
// bytes a second are of uncompressed f32.
#include <benchmark/benchmark.h>

#include <memory>

#include "bench/kernels/device_ops.hpp"
#include "bench/kernels/ops.hpp"
#include "kernels/base/target.hpp"

namespace tw {
namespace {

constexpr const char* kReference = "reference";

// Benchmarks of one size come one after another: the buffers of the size before are not kept.
OpBuffers& buffers_of(std::uint64_t count) {
  static std::unique_ptr<OpBuffers> buffers;
  if (!buffers || buffers->runs().front().count != count)
    buffers = std::make_unique<OpBuffers>(std::span(&count, 1), Exec{});
  return *buffers;
}

void measure(benchmark::State& state, const BenchmarkedOp& op, const std::string& target, std::uint64_t count) {
  const bool reference = target == kReference;
  if (!reference) use_simd_target(target);
  OpBuffers& buffers = buffers_of(count);
  const Exec exec = buffers.exec(reference ? Backend::reference : Backend::simd);
  for ([[maybe_unused]] auto step : state) {
    op.run(exec, buffers.runs().front());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * count * sizeof(float)));
}

void register_all() {
  std::vector<std::string> targets = simd_targets();
  targets.emplace_back(kReference);
  for (const std::uint64_t count : {1u << 12, 1u << 18, 1u << 24})
    for (const BenchmarkedOp& op : benchmarked_ops())
      for (const std::string& target : targets)
        benchmark::RegisterBenchmark(
            (op.name + "/" + target + "/" + std::to_string(count)).c_str(),
            [op, target, count](benchmark::State& state) { measure(state, op, target, count); });
}

}  // namespace
}  // namespace tw

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  tw::register_all();
  tw::register_device_benchmarks();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
