#include "bench/kernels/floors.hpp"

#include <algorithm>

namespace tw {
namespace {

constexpr double kPicked = 0.01;     // pairs an element
constexpr double kUnit = 4.0 / 256;  // a unit for each block of int8 and signs
constexpr double kDitherUnit = 4.0 / 512;
constexpr double kSector = 32;  // bytes: what a lone access costs

constexpr std::string_view kLone = "lone elements cost a sector each: few of its bytes were asked for";
constexpr std::string_view kCandidates =
    "a sample before the one pass (two would be 4 more) and few candidates behind it; threads share what steers them";
constexpr std::string_view kHistograms =
    "as topk/encode_ef; a sample and cleared counts and candidates weigh more in small tensors; those of one tile "
    "are a kernel of their own";
constexpr std::string_view kEqual = "as topk/encode; counts of equal digits are one access on sm_90 and counted as 32";
constexpr std::string_view kSomewhere = "only pairs are read; where a stretch's pairs begin is anywhere";
constexpr std::string_view kLookups =
    "a lookup a byte in tables of shared memory and the data's bytes say which banks meet";
constexpr std::string_view kNeighbour =
    "every fourth index is read again as the neighbour's: from the cache since it is near";
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
    {"descend", 4 + 4 + 4 + 4 + 4, ""},
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
    {"randomk/scale", kPicked*(4 + 4), ""},
    {"frame/seal", 4, kLookups},
    {"frame/check", 4, kLookups},
    {"topk/encode", 4 + kPicked * 8, kCandidates},
    {"topk/encode_ef", 4 + 4 + 4 + kPicked*(8 + kSector), kCandidates},
    {"topk/encode_ties", 4 + kPicked * 8, kCandidates},
    {"topk/encode_zeros", 4 + kPicked * 8, kEqual},
    {"topk/decode", kPicked * 8 + 4, kSomewhere},
    {"topk/decode_add", kPicked*(8 + kSector + kSector), kLone},
    {"topk/check", kPicked * 4, kNeighbour},
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

}  // namespace

std::span<const Floor> floors() { return kFloors; }

const Floor* find_floor(std::string_view op) {
  const auto found =
      std::find_if(std::begin(kFloors), std::end(kFloors), [&](const Floor& row) { return row.op == op; });
  return found == std::end(kFloors) ? nullptr : found;
}

std::vector<std::uint64_t> bucket_tensors(std::uint64_t layers) {
  constexpr std::uint64_t kWidth = 768, kInner = 64;
  std::vector<std::uint64_t> tensors;
  for (std::uint64_t layer = 0; layer < layers; ++layer)
    tensors.insert(tensors.end(), {kWidth * kWidth, kWidth, kWidth * kInner, kInner, kInner * kWidth, kWidth});
  return tensors;
}

}  // namespace tw
