#include "collectives/registration.hpp"

#include <algorithm>
#include <cstring>
#include <set>
#include <sstream>

#include "collectives/tag.hpp"
#include "kernels/base/check.hpp"
#include "kernels/base/hash.hpp"
#include "kernels/cuda/device.hpp"

namespace tw {
namespace {

constexpr std::size_t kMaxFrameBytes = std::size_t{1} << 31;

std::string range_text(Range range) { return detail::concat("[", range.first, ", ", range.first + range.count, ")"); }

// Whether a parameter may be cut in front of element `at`: at the granule, for sparse codecs between shards only.
bool may_cut_at(const Param& param, std::uint64_t at, const CodecTraits& traits, std::uint32_t owners) {
  if (at == 0 || at == param.count()) return true;
  if (traits.granule == 0) return false;
  if (!traits.sparse) return at % traits.granule == 0;
  for (std::uint32_t shard = 0; shard < owners; ++shard)
    if (shard_range(param.count(), traits.granule, owners, shard).first == at) return true;
  return false;
}

PlannedPiece check_piece(std::span<const Param> params, const Piece& piece, std::size_t bucket) {
  TW_CHECK(piece.param != nullptr && piece.param->id < params.size(), UsageError, "bucket ", bucket,
           " has a piece of an unregistered parameter; ids must be below ", params.size());
  const Param& param = params[piece.param->id];
  TW_CHECK(piece.first <= param.count() && piece.data.count <= param.count() - piece.first, UsageError, "bucket ",
           bucket, ": elements ", range_text({piece.first, piece.data.count}), " lie outside parameter '", param.name,
           "' of ", param.count(), " elements");
  return {&param, {piece.first, piece.data.count}};
}

void check_coverage(const Param& param, std::vector<Range> ranges, const CodecTraits& traits, std::uint32_t owners) {
  std::sort(ranges.begin(), ranges.end(), [](Range a, Range b) { return a.first < b.first; });
  std::uint64_t covered = 0;
  for (const Range& range : ranges) {
    TW_CHECK(range.first == covered, UsageError, "parameter '", param.name, "' must be covered exactly once: element ",
             std::min(range.first, covered), (range.first < covered ? " is in two pieces" : " is in no bucket"));
    TW_CHECK(may_cut_at(param, range.first, traits, owners), UsageError, "parameter '", param.name,
             "' may not be cut at element ", range.first, "; its codec cuts at multiples of ", traits.granule,
             traits.sparse ? " that begin a shard" : "", " (0: never)");
    covered += range.count;
  }
  TW_CHECK(covered == param.count(), UsageError, "parameter '", param.name, "' has ", param.count(),
           " elements, the buckets hold ", covered);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<std::byte> bytes_of_text(const std::string& text, std::size_t bytes) {
  std::vector<std::byte> padded(bytes);
  std::memcpy(padded.data(), text.data(), std::min(text.size(), bytes));
  return padded;
}

}  // namespace

void check_params(std::span<const Param> params) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < params.size(); ++i) {
    const Param& param = params[i];
    TW_CHECK(param.id == i, UsageError, "parameter '", param.name, "' has id ", param.id,
             "; ids must be 0, 1, 2, ..., here ", i);
    TW_CHECK(names.insert(param.name).second, UsageError, "two parameters are named '", param.name, "'");
    TW_CHECK(param.dtype == DType::f32 || param.dtype == DType::f16 || param.dtype == DType::bf16, UsageError,
             "parameter '", param.name, "' is ", name_of(param.dtype), "; gradients are f32, f16 or bf16");
  }
}

void check_legality(std::span<const Param> params, const CompressorTable& compressors, const Algorithm& algorithm) {
  for (const Param& param : params) {
    const Compressor& compressor = compressors.for_param(param);
    const std::string reason = algorithm.refusal(compressor.codec().traits(param));
    TW_CHECK(reason.empty(), UsageError, algorithm.name(), " cannot carry parameter '", param.name, "' (",
             name_of(param.dtype), ") as ", compressor.canonical_spec(), ": ", reason);
  }
}

std::vector<std::vector<PlannedPiece>> check_buckets(std::span<const Param> params,
                                                     std::span<const BucketPieces> buckets,
                                                     const CompressorTable& compressors, std::uint32_t owners) {
  TW_CHECK(buckets.size() <= kMaxBuckets, UsageError, buckets.size(), " buckets; at most ", kMaxBuckets);
  std::vector<std::vector<PlannedPiece>> planned(buckets.size());
  std::vector<std::vector<Range>> ranges(params.size());
  for (std::size_t b = 0; b < buckets.size(); ++b)
    for (const Piece& piece : buckets[b]) {
      planned[b].push_back(check_piece(params, piece, b));
      if (piece.data.count != 0) ranges[piece.param->id].push_back(planned[b].back().range);
    }
  for (const Param& param : params)
    check_coverage(param, std::move(ranges[param.id]), compressors.for_param(param).codec().traits(param), owners);
  return planned;
}

void check_handed_over(const Bucket& bucket, std::span<const PlannedPiece> planned, const Exec& place) {
  TW_CHECK(bucket.pieces.size() == planned.size(), UsageError, "bucket ", bucket.id, " was handed over with ",
           bucket.pieces.size(), " pieces, registered were ", planned.size(),
           "; a parameter without gradient keeps its piece, with null data");
  for (std::size_t i = 0; i < planned.size(); ++i) {
    const Piece& piece = bucket.pieces[i];
    const Param& param = *planned[i].param;
    TW_CHECK(piece.param != nullptr && piece.param->id == param.id, UsageError, "piece ", i, " of bucket ", bucket.id,
             " must be of parameter '", param.name, "', is of ", piece.param ? piece.param->name : "none");
    const Range handed{piece.first, piece.data.count};
    TW_CHECK(handed == planned[i].range, UsageError, "bucket ", bucket.id, " brings elements ", range_text(handed),
             " of parameter '", param.name, "', registered were ", range_text(planned[i].range));
    TW_CHECK(piece.data.dtype == param.dtype, UsageError, "the gradient of '", param.name, "' is ",
             name_of(piece.data.dtype), ", registered was ", name_of(param.dtype));
    TW_CHECK(reinterpret_cast<std::uintptr_t>(piece.data.data) % bytes_of(param.dtype) == 0, UsageError,
             "the gradient of '", param.name, "' lies at ", piece.data.data, "; ", name_of(param.dtype),
             " must be aligned to ", bytes_of(param.dtype), " bytes");
    if (place.backend == Backend::cuda && piece.data.data != nullptr && piece.data.count != 0)
      cuda::require_reachable(place, piece.data.data, param.name);
  }
}

void check_plan(const BucketPlan& plan) {
  TW_CHECK(plan.chunks().size() <= kMaxChunks, UsageError, "bucket ", plan.bucket(), " falls into ",
           plan.chunks().size(), " chunks; at most ", kMaxChunks, ": raise chunk_bytes");
  for (const Chunk& chunk : plan.chunks())
    TW_CHECK(chunk.layout.max_frame_bytes() <= kMaxFrameBytes, UsageError, "a frame of bucket ", plan.bucket(),
             " would take ", chunk.layout.max_frame_bytes(), " bytes; at most ", kMaxFrameBytes, ": split parameter '",
             chunk.layout.extents().front().param->name, "'");
}

std::string describe_configuration(const CommunicatorOptions& options, const CompressorTable& compressors) {
  return detail::concat("frames: version ", kFrameVersion, "\nalgorithm: ", options.algorithm, "\n",
                        compressors.description(), "\nseed: ", options.seed, "\nchunk bytes: ", options.chunk_bytes,
                        "\nchecksum: ", options.checksum ? "crc32c" : "none",
                        "\ncommunicator: ", options.communicator_id, "\n");
}

std::string describe_params(std::span<const Param> params) {
  std::ostringstream out;
  out << "parameters: " << params.size() << '\n';
  for (const Param& param : params)
    out << "parameter " << param.id << ": " << param.name << ' ' << param.rows << 'x' << param.cols << ' '
        << name_of(param.dtype) << '\n';
  return out.str();
}

std::string describe_buckets(std::span<const BucketPlan> plans) {
  std::ostringstream out;
  out << "buckets: " << plans.size() << '\n';
  for (const BucketPlan& plan : plans) {
    out << "bucket " << plan.bucket() << ':';
    for (const PlannedPiece& piece : plan.pieces()) out << ' ' << piece.param->name << range_text(piece.range);
    out << " plan " << std::hex << plan.hash() << std::dec << '\n';
  }
  return out.str();
}

std::string first_difference(const std::string& a, const std::string& b) {
  const auto lines_a = lines_of(a), lines_b = lines_of(b);
  for (std::size_t i = 0; i < std::max(lines_a.size(), lines_b.size()); ++i) {
    const std::string line_a = i < lines_a.size() ? lines_a[i] : "(nothing)";
    const std::string line_b = i < lines_b.size() ? lines_b[i] : "(nothing)";
    if (line_a != line_b) return "'" + line_a + "' against '" + line_b + "'";
  }
  return {};
}

void agree(const std::string& text, const GatherBytes& gather) {
  struct Summary {
    std::uint64_t hash, bytes;
  };
  const Summary own{hash64(text), text.size()};
  const std::vector<std::byte> gathered = gather(std::as_bytes(std::span(&own, 1)));
  std::vector<Summary> all(gathered.size() / sizeof(Summary));
  std::memcpy(all.data(), gathered.data(), gathered.size());
  const auto equal = [&](const Summary& other) { return other.hash == own.hash && other.bytes == own.bytes; };
  if (std::all_of(all.begin(), all.end(), equal)) return;

  std::uint64_t longest = 0;
  for (const Summary& other : all) longest = std::max(longest, other.bytes);
  const std::vector<std::byte> texts = gather(bytes_of_text(text, longest));
  const auto text_of = [&](std::size_t rank) {
    return std::string(reinterpret_cast<const char*>(texts.data() + rank * longest), all[rank].bytes);
  };
  for (std::size_t rank = 1; rank < all.size(); ++rank)
    if (const std::string difference = first_difference(text_of(0), text_of(rank)); !difference.empty())
      TW_FAIL(UsageError, "ranks 0 and ", rank, " are configured differently: ", difference);
  TW_FAIL(UsageError, "ranks are configured differently");
}

}  // namespace tw
