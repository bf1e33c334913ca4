// Between the trainer's tensors and frames: what every algorithm does with a chunk. Gradients are widened to f32 where
// they are narrower, absent ones code as zeros, means are narrowed on delivery.
//
// On a device all of it is enqueued on the group's stream. What is encoded there comes to the host as a copy, whose end
// `ready` tells; what was received is copied there, and its buffer kept so long. Where frames go directly from device
// to device, kernels seal them and look at those of others; what they find is thrown when the host comes to it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "collectives/buffers.hpp"
#include "collectives/group.hpp"
#include "collectives/plan.hpp"

namespace tw {

/// A frame that was made here, or is passed on.
struct OwnFrame {
  Buffer buffer = {};    ///< what is sent
  Buffer encoded = {};   ///< unless it is `buffer`: the same frame where it was encoded, but for its header
  Group::Mark made = 0;  ///< when `buffer` holds the bodies, and what was enqueued before does not use it any more
  bool sealed = false;
};

/// Codes the chunks of one bucket for one operation. Uses the group's arena, status words and clocks.
class ChunkCoder {
 public:
  ChunkCoder(Group& group, const BucketPlan& plan);

  /// Takes what scratch memory a step takes at a device, so that none has to: of operations whose frames the host
  /// drives.
  void take_scratch();

  /// The tensors of this step.
  void bind(std::span<const Piece> pieces) {
    pieces_ = pieces;
    forget_findings();
  }

  /// This rank's gradient of `chunk` as a frame (hop worker): to be sent once `ready`, or for this rank alone.
  OwnFrame encode_gradient(const Chunk& chunk);
  OwnFrame encode_own_gradient(const Chunk& chunk);
  /// `mean`, the chunk's extents one after another, as a frame (hop owner).
  OwnFrame encode_mean(const Chunk& chunk, std::span<const float> mean);
  /// Whether the frame can be sent. Seals it when it comes to that. Throws WireError where it, or what it was made of,
  /// is bad.
  bool ready(const Chunk& chunk, Hop hop, OwnFrame& frame);
  /// Frames that kernels looked at: throws WireError that names the rank whose frame of this chunk, or of any, was bad,
  /// as far as the device has come.
  void refuse_bad_frames(const Chunk& chunk) const;
  void refuse_bad_frames() const;

  /// Opens, validates and decodes the worker frame of `source` into `sum`, the chunk's extents one after another.
  void decode_gradient(const Chunk& chunk, std::uint32_t source, Message message, Combine combine,
                       std::span<float> sum);
  /// The same of a frame that was made here, which need not be ready.
  void decode_gradient(const Chunk& chunk, OwnFrame& frame, Combine combine, std::span<float> sum);
  /// Opens, validates and decodes the owner's frame into the bucket's tensors; and one that was made here.
  void deliver_mean(const Chunk& chunk, Message message);
  void deliver_mean(const Chunk& chunk, OwnFrame& frame);
  /// The same for a mean that is passed on once it is `ready`. Where it is sent, and where it stays here, it is kept
  /// until the device has come to `made`.
  enum class Use : std::uint8_t { here, sent };
  OwnFrame take_mean(const Chunk& chunk, Message message, Use use);
  /// Writes a mean that needs no decoding into the bucket's tensors. One that is not finite is found.
  void deliver_values(const Chunk& chunk, std::span<const float> mean);

  /// Frames that travel from device memory to device memory: room for exactly one, on 16 bytes. All is enqueued, or
  /// left with the open batch: each call is a job. A mean made of frames in which something was found is sealed so that
  /// nobody takes it for a good one.
  void encode_gradient_into(const Chunk& chunk, std::span<std::byte> frame);
  void encode_mean_into(const Chunk& chunk, std::span<const float> mean, std::span<std::byte> frame);
  /// Looks at what `source` sent, for `refuse_bad_frames`.
  void check_frame(const Chunk& chunk, std::uint32_t source, Hop hop, std::span<std::byte> frame);
  /// Decoding does not look, and stays in bounds.
  void decode_gradient_from(const Chunk& chunk, std::uint32_t source, std::span<std::byte> frame, Combine combine,
                            std::span<float> sum);
  void deliver_mean_from(const Chunk& chunk, std::span<std::byte> frame);
  /// Linear payloads alone, summed there by the transport: this rank's, the chunk's bodies one after another; and the
  /// ranks' sum, which becomes the mean and is delivered.
  void encode_payload_into(const Chunk& chunk, std::span<float> payload);
  void deliver_payload_sum(const Chunk& chunk, std::span<float> payload);

  /// Where encoding loses nothing, keeps nothing and changes no type, a chunk's sum may grow in the tensors themselves:
  /// the own gradient is there already, and a mean that was divided there needs no delivery.
  bool sums_in_place(const Chunk& chunk) const;
  /// Reports what encoding this rank's gradient would.
  void inspect_gradient(const Chunk& chunk);
  void add_in_place(const Chunk& chunk, std::uint32_t source, Message message);
  void add_in_place(const Chunk& chunk, std::span<const float> values);
  /// Divides by the ranks; the mean as a sealed frame (hop owner).
  OwnFrame finish_in_place(const Chunk& chunk);

  /// For linear payloads, which are summed as they are, in frames to be sent once `ready`: this rank's gradient (hop
  /// worker), and the same added to a sum that `source` sent; the mean (hop owner) where that was all that was missing,
  /// or for a rank alone, delivered. What came and what leaves are in the same memory, but for what a device adds.
  OwnFrame begin_sum(const Chunk& chunk);
  OwnFrame add_to_sum(const Chunk& chunk, std::uint32_t source, Message message);
  OwnFrame finish_sum(const Chunk& chunk, std::uint32_t source, Message message);
  OwnFrame mean_of_one(const Chunk& chunk);

 private:
  /// Scratch memory: the host's for what the host looks at, and where codecs work.
  struct Scratch {
    explicit Scratch(Group& group) : host(group.arena), coding(*group.exec.arena) {}
    Arena::Scope host, coding;
  };

  static std::byte* address_of(const Piece& piece, const Extent& extent);
  Context context_for(std::uint32_t rank, Hop hop) const;
  FrameId frame_id(const Chunk& chunk, std::uint32_t source, Hop hop) const;
  std::span<float> room_for(const Chunk& chunk, std::size_t extent, Scratch& scratch) const;
  void fetch_gradient(const Chunk& chunk, std::size_t extent, std::span<float> values) const;
  std::span<float> in_tensor(const Chunk& chunk, std::size_t extent) const;
  using Bodies = std::span<const std::span<const std::byte>>;

  std::span<const Input> gradients_of(const Chunk& chunk, Scratch& scratch) const;
  std::span<const std::uint32_t> encode(const Chunk& chunk, std::span<const Input> inputs, Hop hop,
                                        std::span<std::byte> frame, Scratch& scratch);
  OwnFrame encode_frame(const Chunk& chunk, std::span<const Input> inputs, Hop hop, Use use);
  void bring_out(const Chunk& chunk, Hop hop, OwnFrame& frame);
  OwnFrame encode_unsealed(const Chunk& chunk);
  OwnFrame open_sum(const Chunk& chunk, std::uint32_t source, Message message);
  void add_gradient(const Chunk& chunk, OwnFrame& sum);
  void average_in_place(const Chunk& chunk, OwnFrame& sum);
  void make_mean(const Chunk& chunk, OwnFrame& sum);
  OwnFrame leaving(const Chunk& chunk, Hop hop, OwnFrame sum);
  Bodies open(const Chunk& chunk, const FrameId& id, std::span<const std::byte> frame, Scratch& scratch) const;
  Bodies bodies_of(const Chunk& chunk, OwnFrame& frame, Hop hop, Scratch& scratch) const;
  Bodies rooms_in(const Chunk& chunk, std::span<std::byte> frame, Scratch& scratch) const;
  Bodies brought_in(Bodies bodies, const Message& message, Scratch& scratch) const;
  Bodies arrived(const Chunk& chunk, const FrameId& id, Message& message, Scratch& scratch);
  Bodies checked_direct(const Chunk& chunk, const FrameId& id, std::span<std::byte> frame, Scratch& scratch);
  void take_scratch_for(const Chunk& chunk);
  void forget_findings();
  std::span<std::uint32_t> findings_of(const Chunk& chunk) const;
  void decode_bodies(const Chunk& chunk, std::uint32_t source, Bodies bodies, Combine combine, std::span<float> sum,
                     Scratch& scratch);
  void deliver_bodies(const Chunk& chunk, Bodies bodies, Scratch& scratch);
  void deliver_arrived(const Chunk& chunk, Message& message);
  void seal_on_device(const Chunk& chunk, const FrameId& id, std::span<const std::uint32_t> found,
                      std::span<std::byte> frame);
  void check_bodies(const Chunk& chunk, const FrameId& id, std::span<std::byte> frame, Scratch& scratch);
  Bodies bodies_on_device(const Chunk& chunk, std::uint32_t source, std::span<std::byte> frame, Scratch& scratch);
  std::span<const Input> means_of(const Chunk& chunk, std::span<const float> mean, Scratch& scratch) const;
  void deliver_run(const Chunk& chunk, std::size_t extent, const Output& mean) const;

  Group& group_;
  const BucketPlan& plan_;
  std::span<const Piece> pieces_;
  Buffer findings_room_;
  std::span<std::uint32_t> findings_;  // StatusBits by chunk and source, which host and device reach; empty where the
                                       // host looks
};

}  // namespace tw
