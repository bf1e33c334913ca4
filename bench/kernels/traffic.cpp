// Runs one op on the CUDA backend, for `traffic`, which counts what its kernels move.
//   kernels_traffic      one line an op: "name,elements,bytes an element that must move,why it misses an aim"
//   kernels_traffic OP   runs it once
// An op runs on one tensor; with /bucket behind its name, in one batch on the tensors of a bucket of ten layers.
#include <iostream>
#include <numeric>
#include <string_view>
#include <vector>

#include "bench/kernels/floors.hpp"
#include "bench/kernels/ops.hpp"
#include "kernels/cuda/batch.hpp"
#include "kernels/cuda/stream.hpp"

namespace tw {
namespace {

constexpr std::string_view kBucket = "/bucket";
constexpr std::uint64_t kTensor = 1 << 20;

std::vector<std::uint64_t> tensors_of(std::string_view op) {
  return op.ends_with(kBucket) ? bucket_tensors() : std::vector{kTensor};
}

int list() {
  for (const Floor& floor : floors()) {
    const std::vector<std::uint64_t> tensors = tensors_of(floor.op);
    std::cout << floor.op << ',' << std::accumulate(tensors.begin(), tensors.end(), std::uint64_t{0}) << ','
              << floor.bytes << ',' << floor.exception << '\n';
  }
  return 0;
}

int run(std::string_view name) {
  const std::string_view one = name.ends_with(kBucket) ? name.substr(0, name.size() - kBucket.size()) : name;
  for (const BenchmarkedOp& op : benchmarked_ops()) {
    if (op.name != one) continue;
    const cuda::Stream stream;
    OpBuffers buffers(tensors_of(name), {.backend = Backend::cuda, .stream = stream.get()});
    const Exec exec = buffers.exec(Backend::cuda);
    cuda::BatchScope batch(exec);
    for (OpArrays& arrays : buffers.runs()) {
      batch.begin_job();
      op.run(exec, arrays);
    }
    batch.close();
    cuda::synchronize(exec);
    return 0;
  }
  std::cerr << "no op '" << name << "'\n";
  return 2;
}

}  // namespace
}  // namespace tw

int main(int argc, char** argv) { return argc == 2 ? tw::run(argv[1]) : tw::list(); }
