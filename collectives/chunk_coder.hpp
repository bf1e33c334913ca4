// Between the trainer's tensors and frames: what every algorithm does with a chunk. Gradients are widened to f32 where
// they are narrower, absent ones code as zeros, means are narrowed on delivery.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "collectives/buffers.hpp"
#include "collectives/group.hpp"
#include "collectives/plan.hpp"

namespace tw {

/// Codes the chunks of one bucket for one operation. Uses the group's arena, status words and clocks.
class ChunkCoder {
 public:
  ChunkCoder(Group& group, const BucketPlan& plan) : group_(group), plan_(plan) {}

  /// The tensors of this step.
  void bind(std::span<const Piece> pieces) { pieces_ = pieces; }

  /// This rank's gradient of `chunk` as a sealed frame (hop worker). What only this rank decodes needs no checksum.
  Buffer encode_gradient(const Chunk& chunk);
  Buffer encode_own_gradient(const Chunk& chunk);
  /// `mean`, the chunk's extents one after another, as a sealed frame (hop owner).
  Buffer encode_mean(const Chunk& chunk, std::span<const float> mean);

  /// Opens, validates and decodes the worker frame of `source` into `sum`, the chunk's extents one after another. A
  /// frame of this rank itself is taken as it is.
  void decode_gradient(const Chunk& chunk, std::uint32_t source, std::span<const std::byte> frame, Combine combine,
                       std::span<float> sum);
  /// Opens, validates and decodes the owner's frame into the bucket's tensors; likewise.
  void deliver_mean(const Chunk& chunk, std::span<const std::byte> frame);
  /// Writes a mean that needs no decoding into the bucket's tensors. One that is not finite is found.
  void deliver_values(const Chunk& chunk, std::span<const float> mean);

  /// Where encoding loses nothing, keeps nothing and changes no type, a chunk's sum may grow in the tensors themselves:
  /// the own gradient is there already, and a mean that was divided there needs no delivery.
  bool sums_in_place(const Chunk& chunk) const;
  /// Reports what encoding this rank's gradient would.
  void inspect_gradient(const Chunk& chunk);
  void add_in_place(const Chunk& chunk, std::uint32_t source, std::span<const std::byte> frame);
  void add_in_place(const Chunk& chunk, std::span<const float> values);
  /// Divides by the ranks; the mean as a sealed frame (hop owner).
  Buffer finish_in_place(const Chunk& chunk);
  /// Inspects, adds the frame that `source` sent, which holds all that is still missing, and finishes; that frame
  /// becomes the mean's.
  void finish_in_place(const Chunk& chunk, std::uint32_t source, Buffer& sum, std::size_t received_bytes);

  /// For linear payloads, which are summed as they are: this rank's gradient as a frame whose header is still missing;
  /// the same added to a frame that `source` sent, whose header is then due anew; the payload divided by the ranks; the
  /// header.
  Buffer encode_unsealed(const Chunk& chunk);
  void add_gradient(const Chunk& chunk, std::uint32_t source, Buffer& sum, std::size_t received_bytes);
  void divide_payload(Buffer& own);
  void seal(const Chunk& chunk, Hop hop, Buffer& own);

 private:
  Context context_for(std::uint32_t rank, Hop hop) const;
  FrameId frame_id(const Chunk& chunk, std::uint32_t source, Hop hop) const;
  Input gradient_of(const Chunk& chunk, std::size_t extent, Arena::Scope& scratch) const;
  std::span<float> in_tensor(const Chunk& chunk, std::size_t extent) const;
  using Bodies = std::span<const std::span<const std::byte>>;

  std::span<const Input> gradients_of(const Chunk& chunk, Arena::Scope& scratch) const;
  std::span<const std::uint32_t> encode(const Chunk& chunk, std::span<const Input> inputs, Hop hop, Buffer& frame,
                                        Arena::Scope& scratch);
  Buffer encode_and_seal(const Chunk& chunk, std::span<const Input> inputs, Hop hop, Checksum checksum);
  void open_sum(const Chunk& chunk, std::uint32_t source, Buffer& sum, std::size_t received_bytes);
  Bodies open(const Chunk& chunk, const FrameId& id, std::span<const std::byte> frame, Arena::Scope& scratch) const;
  void deliver_run(const Chunk& chunk, std::size_t extent, const Output& mean) const;

  Group& group_;
  const BucketPlan& plan_;
  std::span<const Piece> pieces_;
};

}  // namespace tw
