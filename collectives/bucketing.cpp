// plan_buckets: groups parameters in the order in which backward finishes their gradients, and spreads large ones over
// several buckets.
#include <tightwire/communicator.hpp>

#include "collectives/algorithm.hpp"
#include "collectives/patterns.hpp"
#include "compress/compressor.hpp"
#include "kernels/base/check.hpp"

namespace tw {
namespace {

// Fills buckets one after another.
class Filler {
 public:
  explicit Filler(std::uint64_t bytes) : bytes_(bytes), filled_(bytes) {
    TW_CHECK(bytes != 0, UsageError, "a bucket of 0 bytes; 4194304 is a usual choice");
  }

  // Adds runs that stay together.
  void add(const Param& param, std::span<const Range> runs) {
    std::uint64_t added = 0;
    for (const Range& run : runs) added += run.count * sizeof(float);
    if (buckets_.empty() || filled_ + added > bytes_) {
      buckets_.emplace_back();
      filled_ = 0;
    }
    for (const Range& run : runs) buckets_.back().push_back({&param, run.first, {nullptr, param.dtype, run.count}});
    filled_ += added;
  }

  std::vector<BucketPieces> take() { return std::move(buckets_); }

 private:
  const std::uint64_t bytes_;
  std::uint64_t filled_;  // of the last bucket
  std::vector<BucketPieces> buckets_;
};

// How many buckets of `bytes` a parameter fills.
std::uint32_t parts_of(const Param& param, std::uint64_t bytes) {
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(1, (param.count() * sizeof(float) + bytes - 1) / bytes));
}

// Part `part` of `parts` of a parameter: as much of every owner's shard.
std::vector<Range> slice(const Param& param, std::uint64_t granule, std::uint32_t owners, std::uint32_t part,
                         std::uint32_t parts) {
  std::vector<Range> runs;
  for (std::uint32_t shard = 0; shard < owners; ++shard) {
    const Range whole = shard_range(param.count(), granule, owners, shard);
    const Range run = shard_range(whole.count, granule, parts, part);
    if (run.count != 0) runs.push_back({whole.first + run.first, run.count});
  }
  return runs;
}

}  // namespace

std::vector<BucketPieces> plan_buckets(std::span<const Param> params, std::uint64_t bytes) {
  Filler filler(bytes);
  for (auto param = params.rbegin(); param != params.rend(); ++param)
    filler.add(*param, std::vector<Range>{{0, param->count()}});
  return filler.take();
}

std::vector<BucketPieces> plan_buckets(std::span<const Param> params, std::uint64_t bytes,
                                       const CommunicatorOptions& options, std::uint32_t ranks) {
  Filler filler(bytes);
  const CompressorTable compressors(options.codec, options.codec_for);
  const std::uint32_t owners = find_algorithm(options.algorithm).owners(ranks);
  for (auto param = params.rbegin(); param != params.rend(); ++param) {
    const CodecTraits traits = compressors.for_param(*param).codec().traits(*param);
    const bool whole = traits.sparse || traits.granule == 0;
    const std::uint32_t parts = whole ? 1 : parts_of(*param, bytes);
    for (std::uint32_t part = 0; part < parts; ++part) {
      const auto runs =
          parts == 1 ? std::vector<Range>{{0, param->count()}} : slice(*param, traits.granule, owners, part, parts);
      if (!runs.empty()) filler.add(*param, runs);
    }
  }
  return filler.take();
}

}  // namespace tw
