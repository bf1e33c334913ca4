// The plan of a bucket: which rank owns which runs, in which chunks they travel, with which compressor. A function of
// (pieces, compressors, owners, chunk size) alone, so every rank makes the same one; its hash travels in every frame.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <tightwire/types.hpp>

#include "collectives/patterns.hpp"
#include "compress/compressor.hpp"
#include "compress/wire.hpp"

namespace tw {

/// A registered part of a bucket: elements `range` of a parameter.
struct PlannedPiece {
  const Param* param = nullptr;
  Range range;
};

/// Runs that travel in one frame: same owner, same compressor.
struct Chunk {
  std::uint32_t index;  ///< within the bucket: the frame's and tag's chunk number
  std::uint32_t owner;  ///< the rank that sums it
  const Compressor* compressor;
  FrameLayout layout;                          ///< its extents, by piece order in the bucket
  std::vector<std::uint32_t> piece_of_extent;  ///< which piece of the bucket extent i lies in

  /// Elements of all extents.
  std::uint64_t count() const;
};

struct PlanOptions {
  std::uint32_t owners = 1;              ///< ranks that own shards; 1: everything stays whole (all_gather_reduce)
  std::uint64_t chunk_bytes = 1u << 20;  ///< f32 bytes a chunk aims at; sparse shards are never cut
};

/// Made once a bucket, at registration.
class BucketPlan {
 public:
  BucketPlan(std::uint32_t bucket, std::span<const PlannedPiece> pieces, const CompressorTable& compressors,
             const PlanOptions& options);

  std::uint32_t bucket() const { return bucket_; }
  std::span<const PlannedPiece> pieces() const { return pieces_; }
  /// All chunks, owner by owner; chunk i has index i.
  std::span<const Chunk> chunks() const { return chunks_; }
  /// The chunks of one owner.
  std::span<const Chunk> chunks_of(std::uint32_t owner) const;
  /// A step's pieces where a rank has no gradient for any.
  std::vector<Piece> absent_pieces() const;
  /// Hash of everything above.
  std::uint64_t hash() const { return hash_; }

 private:
  std::uint32_t bucket_;
  std::vector<PlannedPiece> pieces_;
  std::vector<Chunk> chunks_;
  std::vector<std::uint32_t> first_chunk_;  // by owner, one more at the end
  std::uint64_t hash_;
};

}  // namespace tw
