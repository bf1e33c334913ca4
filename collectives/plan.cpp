#include "collectives/plan.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/base/check.hpp"
#include "kernels/base/hash.hpp"

namespace tw {
namespace {

// Runs of one owner and one compressor, on their way to becoming chunks.
struct Lane {
  const Compressor* compressor;
  std::vector<Extent> extents;
  std::vector<std::uint32_t> piece_of_extent;
};

// The part of `piece` that `owner` owns.
Extent owned_extent(const PlannedPiece& piece, const Compressor& compressor, std::uint32_t owner,
                    std::uint32_t owners) {
  const Param& param = *piece.param;
  const std::uint64_t granule = compressor.codec().traits(param).granule;
  const Range shard = shard_range(param.count(), granule, owners, shard_owned_by(param.id, owner, owners));
  const std::uint64_t begin = std::max(shard.first, piece.range.first);
  const std::uint64_t end = std::min(shard.first + shard.count, piece.range.first + piece.range.count);
  return {&param, begin, end > begin ? end - begin : 0};
}

std::vector<Lane> lanes_of(std::uint32_t owner, std::span<const PlannedPiece> pieces,
                           const CompressorTable& compressors, std::uint32_t owners) {
  std::vector<Lane> lanes;
  for (std::uint32_t i = 0; i < pieces.size(); ++i) {
    const Compressor& compressor = compressors.for_param(*pieces[i].param);
    const Extent extent = owned_extent(pieces[i], compressor, owner, owners);
    if (extent.count == 0) continue;
    auto lane = std::find_if(lanes.begin(), lanes.end(), [&](const Lane& l) { return l.compressor == &compressor; });
    if (lane == lanes.end()) lane = lanes.insert(lanes.end(), Lane{&compressor, {}, {}});
    lane->extents.push_back(extent);
    lane->piece_of_extent.push_back(i);
  }
  return lanes;
}

class HashText {
 public:
  template <class... Integers>
  void add(Integers... values) {
    for (std::uint64_t value : {static_cast<std::uint64_t>(values)...}) {
      const auto* bytes = reinterpret_cast<const std::byte*>(&value);
      bytes_.insert(bytes_.end(), bytes, bytes + sizeof value);
    }
  }
  std::uint64_t hash() const { return hash64(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

std::uint64_t hash_of(const BucketPlan& plan) {
  HashText text;
  text.add(plan.bucket());
  for (const PlannedPiece& p : plan.pieces())
    text.add(p.param->id, p.param->rows, p.param->cols, p.param->dtype, p.range.first, p.range.count);
  for (const Chunk& chunk : plan.chunks()) {
    text.add(chunk.owner, chunk.compressor->codec_hash());
    for (const Extent& e : chunk.layout.extents()) text.add(e.param->id, e.first, e.count);
  }
  return text.hash();
}

// Cuts a lane into chunks of about `chunk_count` elements.
class Cutter {
 public:
  Cutter(std::vector<Chunk>& chunks, std::uint32_t owner, std::uint64_t chunk_count)
      : chunks_(chunks), owner_(owner), chunk_count_(chunk_count) {}

  void cut(const Lane& lane) {
    compressor_ = lane.compressor;
    for (std::size_t i = 0; i < lane.extents.size(); ++i) cut_extent(lane.extents[i], lane.piece_of_extent[i]);
    close();
  }

 private:
  void cut_extent(Extent rest, std::uint32_t piece) {
    const CodecTraits traits = compressor_->codec().traits(*rest.param);
    while (rest.count != 0) {
      const std::uint64_t taken = fitting(rest, traits);
      if (taken == 0) {
        close();
        continue;
      }
      extents_.push_back({rest.param, rest.first, taken});
      piece_of_extent_.push_back(piece);
      filled_ += taken;
      rest.first += taken;
      rest.count -= taken;
    }
  }

  // How many elements of `extent` go into the open chunk: never 0 into an empty one. A cut falls on the granule,
  // counted from the parameter's start, and never into a sparse codec's shard.
  std::uint64_t fitting(const Extent& extent, const CodecTraits& traits) const {
    const std::uint64_t left = chunk_count_ > filled_ ? chunk_count_ - filled_ : 0;
    const bool empty = filled_ == 0;
    if (extent.count <= left) return extent.count;
    if (traits.sparse || traits.granule == 0) return empty ? extent.count : 0;
    const std::uint64_t end = (extent.first + left) / traits.granule * traits.granule;
    if (end > extent.first) return end - extent.first;
    return empty ? std::min(extent.count, traits.granule - extent.first % traits.granule) : 0;
  }

  void close() {
    if (extents_.empty()) return;
    const auto index = static_cast<std::uint32_t>(chunks_.size());
    chunks_.push_back({index, owner_, compressor_, FrameLayout(compressor_->codec(), std::move(extents_)),
                       std::move(piece_of_extent_)});
    extents_ = {};
    piece_of_extent_ = {};
    filled_ = 0;
  }

  std::vector<Chunk>& chunks_;
  std::uint32_t owner_;
  std::uint64_t chunk_count_;
  const Compressor* compressor_ = nullptr;
  std::vector<Extent> extents_;
  std::vector<std::uint32_t> piece_of_extent_;
  std::uint64_t filled_ = 0;
};

}  // namespace

std::uint64_t Chunk::count() const {
  std::uint64_t total = 0;
  for (const Extent& extent : layout.extents()) total += extent.count;
  return total;
}

BucketPlan::BucketPlan(std::uint32_t bucket, std::span<const PlannedPiece> pieces, const CompressorTable& compressors,
                       const PlanOptions& options)
    : bucket_(bucket), pieces_(pieces.begin(), pieces.end()) {
  const std::uint64_t chunk_count = std::max<std::uint64_t>(options.chunk_bytes / sizeof(float), 1);
  for (std::uint32_t owner = 0; owner < options.owners; ++owner) {
    first_chunk_.push_back(static_cast<std::uint32_t>(chunks_.size()));
    for (const Lane& lane : lanes_of(owner, pieces_, compressors, options.owners))
      Cutter(chunks_, owner, chunk_count).cut(lane);
  }
  first_chunk_.push_back(static_cast<std::uint32_t>(chunks_.size()));
  hash_ = hash_of(*this);
}

std::vector<Piece> BucketPlan::absent_pieces() const {
  std::vector<Piece> pieces;
  for (const auto& [param, range] : pieces_)
    pieces.push_back({param, range.first, {nullptr, param->dtype, range.count}});
  return pieces;
}

std::span<const Chunk> BucketPlan::chunks_of(std::uint32_t owner) const {
  return chunks().subspan(first_chunk_[owner], first_chunk_[owner + 1] - first_chunk_[owner]);
}

}  // namespace tw
