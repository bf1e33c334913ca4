// Runs one op on the CUDA backend, for `traffic`, which counts what its kernels move.
//   kernels_traffic      one line an op: "name,elements,bytes an element that must move,why it misses an aim"
//   kernels_traffic OP   runs it once
// An op runs on one tensor; with /bucket behind its name, in one batch on the tensors of a bucket of ten layers.
#include <iostream>
#include <numeric>
#include <string_view>
#include <vector>

#include "bench/kernels/ops.hpp"
#include "kernels/cuda/batch.hpp"
#include "kernels/cuda/stream.hpp"

namespace tw {
namespace {

constexpr double kPicked = 0.01;     // pairs an element
constexpr double kUnit = 4.0 / 256;  // a unit for each block of int8 and signs
constexpr double kDitherUnit = 4.0 / 512;
constexpr double kSector = 32;  // bytes: what a lone access costs

/// What must move, term by term: bytes an element.
struct Floor {
  std::string_view op;
  double bytes;
  std::string_view exception;
};

constexpr std::string_view kLone = "lone elements cost a sector each: few of its bytes were asked for";
constexpr std::string_view kCandidates =
    "a sample before the one pass (two would be 4 more) and few candidates behind it; threads share what steers them";
constexpr std::string_view kHistograms = "as topk/encode_ef; each tensor has histograms of its own, and most are small";
constexpr std::string_view kEqual = "as topk/encode; counts of equal digits are one access on sm_90 and counted as 32";
constexpr std::string_view kSomewhere = "only pairs are read; where a stretch's pairs begin is anywhere";
constexpr std::string_view kPhilox = "ten rounds of Philox for four elements are 30 of its instructions";

// Terms in the order: what is read, what is written.
constexpr Floor kFloors[] = {
    {"inspect", 4, ""},
    {"accumulate", 4 + 4 + 4, ""},
    {"correct", 4 + 4 + 4, ""},
    {"remainder", 4 + 4 + 4, ""},
    {"clear", 4, ""},
    {"divide", 4 + 4, ""},
    {"average", 4 + 4 + 4 + 4, ""},
    {"int8/encode", 4 + 1 + kUnit, ""},
    {"int8/encode_ef", 4 + 4 + 1 + kUnit + 4, ""},
    {"int8/decode_add", 1 + kUnit + 4 + 4, ""},
    {"onebit/encode", 4 + 1.0 / 8 + kUnit, ""},
    {"onebit/encode_ef", 4 + 4 + 1.0 / 8 + kUnit + 4, ""},
    {"onebit/decode_add", 1.0 / 8 + kUnit + 4 + 4, ""},
    {"qsgd/encode", 4 + 4.0 / 8 + kDitherUnit, kPhilox},
    {"qsgd_l2/encode", 4 + 4.0 / 8 + kDitherUnit, kPhilox},
    {"qsgd/encode_ef", 4 + 4 + 4.0 / 8 + kDitherUnit + 4, kPhilox},
    {"qsgd/decode_add", 4.0 / 8 + kDitherUnit + 4 + 4, ""},
    {"identity/encode", 4 + 4, ""},
    {"identity/decode", 4 + 4, ""},
    {"identity/decode_add", 4 + 4 + 4, ""},
    {"bf16/encode", 4 + 2, ""},
    {"bf16/encode_ef", 4 + 4 + 4 + 2, ""},
    {"bf16/decode", 2 + 4, ""},
    {"bf16/decode_add", 2 + 4 + 4, ""},
    {"fp16/encode", 4 + 2, ""},
    {"fp16/encode_ef", 4 + 4 + 4 + 2, ""},
    {"fp16/decode", 2 + 4, ""},
    {"fp16/decode_add", 2 + 4 + 4, ""},
    {"randomk/indices", kPicked * 4, ""},
    {"randomk/gather", kPicked*(4 + kSector + 4), kLone},
    {"topk/encode", 4 + kPicked * 8, kCandidates},
    {"topk/encode_ef", 4 + 4 + 4 + kPicked*(8 + kSector), kCandidates},
    {"topk/encode_ties", 4 + kPicked * 8, kCandidates},
    {"topk/encode_zeros", 4 + kPicked * 8, kEqual},
    {"topk/decode", kPicked * 8 + 4, kSomewhere},
    {"topk/decode_add", kPicked*(8 + kSector + kSector), kLone},
    {"topk/clear", kPicked*(4 + kSector), kLone},
    {"int8/encode_ef/bucket", 4 + 4 + 1 + kUnit + 4, ""},
    {"int8/decode_add/bucket", 1 + kUnit + 4 + 4, ""},
    {"onebit/encode_ef/bucket", 4 + 4 + 1.0 / 8 + kUnit + 4, ""},
    {"onebit/decode_add/bucket", 1.0 / 8 + kUnit + 4 + 4, ""},
    {"qsgd/encode_ef/bucket", 4 + 4 + 4.0 / 8 + kDitherUnit + 4, kPhilox},
    {"qsgd/decode_add/bucket", 4.0 / 8 + kDitherUnit + 4 + 4, ""},
    {"bf16/encode_ef/bucket", 4 + 4 + 4 + 2, ""},
    {"bf16/decode_add/bucket", 2 + 4 + 4, ""},
    {"topk/encode_ef/bucket", 4 + 4 + 4 + kPicked*(8 + kSector), kHistograms},
    {"topk/decode_add/bucket", kPicked*(8 + kSector + kSector), kLone},
};

constexpr std::string_view kBucket = "/bucket";
constexpr std::uint64_t kTensor = 1 << 20;

std::vector<std::uint64_t> tensors_of(std::string_view op) {
  if (!op.ends_with(kBucket)) return {kTensor};
  constexpr std::uint64_t kWidth = 768, kInner = 64, kLayers = 10;
  std::vector<std::uint64_t> tensors;
  for (std::uint64_t layer = 0; layer < kLayers; ++layer)
    tensors.insert(tensors.end(), {kWidth * kWidth, kWidth, kWidth * kInner, kInner, kInner * kWidth, kWidth});
  return tensors;
}

int list() {
  for (const Floor& floor : kFloors) {
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
