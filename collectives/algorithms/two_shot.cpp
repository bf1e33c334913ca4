#include "collectives/algorithms/two_shot.hpp"

#include <algorithm>

#include "collectives/chunk_coder.hpp"
#include "collectives/tag.hpp"
#include "kernels/reduce.hpp"

namespace tw {
namespace {

// Chunk indices in the order in which `rank` encodes them: one chunk for each owner in turn, beginning with the next
// rank, so that every link and every owner has work early; its own chunks need no link.
std::vector<std::uint32_t> encode_order(const BucketPlan& plan, std::uint32_t ranks, std::uint32_t rank) {
  std::vector<std::uint32_t> order;
  for (std::size_t turn = 0; order.size() < plan.chunks().size(); ++turn)
    for (std::uint32_t round = 1; round <= ranks; ++round) {
      const auto chunks = plan.chunks_of(send_peer(rank, round, ranks));
      if (turn < chunks.size()) order.push_back(chunks[turn].index);
    }
  return order;
}

// A chunk that this rank owns, on its way from worker frames to the mean.
struct OwnedChunk {
  const Chunk* chunk;
  std::vector<Message> frames;    // by rank; the own one is never received
  std::uint32_t next_source = 0;  // frames are added in rank order
  Buffer sum;
  bool delivered = false;
};

// A chunk that another rank owns: its mean is awaited.
struct AwaitedChunk {
  const Chunk* chunk;
  Message frame;
  bool delivered = false;
};

class TwoShotOperation final : public BucketOperation {
 public:
  TwoShotOperation(Group& group, const BucketPlan& plan)
      : group_(group), plan_(plan), coder_(group, plan), order_(encode_order(plan, group.ranks(), group.rank())) {
    for (const Chunk& chunk : plan.chunks()) {
      if (chunk.owner != group.rank())
        awaited_.push_back({&chunk, {}, false});
      else
        owned_.push_back({&chunk, std::vector<Message>(group.ranks()), 0, {}, false});
    }
  }

  void start(std::span<const Piece> pieces) override;
  Progress advance() override;
  bool gradient_consumed() const override { return encoded_ == order_.size(); }
  Wait waiting_for() const override;

 private:
  Tag tag_of(const Chunk& chunk, Hop hop) const {
    return frame_tag(group_.step.step, plan_.bucket(), chunk.index, hop);
  }
  // Each does one chunk's worth of work, or returns false.
  bool add_arrived_frame();
  bool encode_next_gradient();
  bool deliver_arrived_mean();
  void finish_owned(OwnedChunk& owned);
  bool frame_is_there(const OwnedChunk& owned) const;
  bool all_delivered() const;
  void drop_finished_sends();

  Group& group_;
  const BucketPlan& plan_;
  ChunkCoder coder_;
  const std::vector<std::uint32_t> order_;
  std::size_t encoded_ = 0;  // of order_
  std::vector<OwnedChunk> owned_;
  std::vector<AwaitedChunk> awaited_;
  std::vector<Message> sends_;
  std::vector<Buffer> means_;  // own frames of owned chunks, sent to several peers each
  std::vector<Request> mean_sends_;
};

void TwoShotOperation::start(std::span<const Piece> pieces) {
  coder_.bind(pieces);
  encoded_ = 0;
  for (OwnedChunk& owned : owned_) {
    owned.next_source = 0;
    owned.delivered = false;
    for (std::uint32_t round = 1; round < group_.ranks(); ++round) {
      const std::uint32_t peer = receive_peer(group_.rank(), round, group_.ranks());
      owned.frames[peer] =
          receive_message(group_, peer, tag_of(*owned.chunk, Hop::worker), owned.chunk->layout.max_frame_bytes());
    }
  }
  for (AwaitedChunk& awaited : awaited_) {
    awaited.delivered = false;
    awaited.frame = receive_message(group_, awaited.chunk->owner, tag_of(*awaited.chunk, Hop::owner),
                                    awaited.chunk->layout.max_frame_bytes());
  }
}

Operation::Progress TwoShotOperation::advance() {
  drop_finished_sends();
  // The owner's work first: others wait for its means. Then what fills the wire; then what only this rank waits for.
  if (add_arrived_frame() || encode_next_gradient() || deliver_arrived_mean()) return Progress::more;
  const bool complete = gradient_consumed() && all_delivered() && sends_.empty() && mean_sends_.empty();
  return complete ? Progress::complete : Progress::waiting;
}

bool TwoShotOperation::frame_is_there(const OwnedChunk& owned) const {
  const std::uint32_t source = owned.next_source;
  if (source == group_.rank()) return owned.frames[source].buffer.bytes().data() != nullptr;
  return owned.frames[source].done();
}

bool TwoShotOperation::add_arrived_frame() {
  for (OwnedChunk& owned : owned_) {
    if (owned.delivered || !frame_is_there(owned)) continue;
    const std::uint32_t source = owned.next_source++;
    if (source == 0) owned.sum = group_.buffers.take(owned.chunk->count() * sizeof(float));
    Message& message = owned.frames[source];
    const auto frame =
        source == group_.rank() ? std::span<const std::byte>(message.buffer.bytes()) : message.received();
    coder_.decode_gradient(*owned.chunk, source, frame, source == 0 ? Combine::assign : Combine::add,
                           owned.sum.floats());
    message = {};
    if (owned.next_source == group_.ranks()) finish_owned(owned);
    return true;
  }
  return false;
}

void TwoShotOperation::finish_owned(OwnedChunk& owned) {
  const std::span<float> mean = owned.sum.floats();
  divide(group_.exec, mean, static_cast<float>(group_.ranks()));
  Buffer frame = coder_.encode_mean(*owned.chunk, mean);
  owned.sum.release();
  for (std::uint32_t round = 1; round < group_.ranks(); ++round)
    mean_sends_.push_back(
        group_.send(send_peer(group_.rank(), round, group_.ranks()), tag_of(*owned.chunk, Hop::owner), frame.bytes()));
  coder_.deliver_mean(*owned.chunk, frame.bytes());
  means_.push_back(std::move(frame));
  owned.delivered = true;
}

bool TwoShotOperation::encode_next_gradient() {
  if (gradient_consumed()) return false;
  const Chunk& chunk = plan_.chunks()[order_[encoded_]];
  ++encoded_;
  if (chunk.owner == group_.rank()) {
    auto owned = std::find_if(owned_.begin(), owned_.end(), [&](const OwnedChunk& o) { return o.chunk == &chunk; });
    owned->frames[group_.rank()].buffer = coder_.encode_own_gradient(chunk);
    return true;
  }
  Message message{coder_.encode_gradient(chunk), {}};
  message.request = group_.send(chunk.owner, tag_of(chunk, Hop::worker), message.buffer.bytes());
  sends_.push_back(std::move(message));
  return true;
}

bool TwoShotOperation::deliver_arrived_mean() {
  for (AwaitedChunk& awaited : awaited_) {
    if (awaited.delivered || !awaited.frame.done()) continue;
    coder_.deliver_mean(*awaited.chunk, awaited.frame.received());
    awaited.frame = {};
    awaited.delivered = true;
    return true;
  }
  return false;
}

bool TwoShotOperation::all_delivered() const {
  const auto delivered = [](const auto& chunk) { return chunk.delivered; };
  return std::all_of(owned_.begin(), owned_.end(), delivered) &&
         std::all_of(awaited_.begin(), awaited_.end(), delivered);
}

void TwoShotOperation::drop_finished_sends() {
  std::erase_if(sends_, [](const Message& send) { return send.done(); });
  std::erase_if(mean_sends_, [](const Request& send) { return send.done(); });
  if (mean_sends_.empty()) means_.clear();
}

Operation::Wait TwoShotOperation::waiting_for() const {
  const auto describe = [&](const Chunk& chunk, const char* what) {
    return std::string(what) + " of bucket " + std::to_string(plan_.bucket()) + ", chunk " +
           std::to_string(chunk.index);
  };
  for (const OwnedChunk& owned : owned_)
    if (!owned.delivered && owned.next_source != group_.rank())
      return {owned.next_source, describe(*owned.chunk, "its gradient")};
  for (const AwaitedChunk& awaited : awaited_)
    if (!awaited.delivered) return {awaited.chunk->owner, describe(*awaited.chunk, "the mean")};
  return {group_.rank(), "sends of bucket " + std::to_string(plan_.bucket())};
}

std::uint64_t frame_bytes(std::span<const Chunk> chunks) {
  std::uint64_t bytes = 0;
  for (const Chunk& chunk : chunks) bytes += chunk.layout.max_frame_bytes();
  return bytes;
}

}  // namespace

Cost TwoShot::cost(const BucketPlan& plan, std::uint32_t ranks, std::uint32_t rank) const {
  const std::uint64_t all = frame_bytes(plan.chunks()), own = frame_bytes(plan.chunks_of(rank));
  const std::uint64_t chunks = plan.chunks().size(), own_chunks = plan.chunks_of(rank).size();
  return {all - own + (ranks - 1) * own, chunks - own_chunks + (ranks - 1) * own_chunks, ranks > 1 ? 2u : 0u};
}

void TwoShot::declare_slots(State& state, const BucketPlan& plan, std::uint32_t ranks, std::uint32_t rank) const {
  for (const Chunk& chunk : plan.chunks())
    for (const Extent& extent : chunk.layout.extents()) {
      const Param& param = *extent.param;
      chunk.compressor->declare_slots(state, param, Hop::worker, 0, param.count());
      if (chunk.owner != rank) continue;
      const std::uint64_t granule = chunk.compressor->codec().traits(param).granule;
      const Range shard = shard_range(param.count(), granule, ranks, shard_owned_by(param.id, rank, ranks));
      chunk.compressor->declare_slots(state, param, Hop::owner, shard.first, shard.count);
    }
}

std::unique_ptr<BucketOperation> TwoShot::prepare(Group& group, const BucketPlan& plan) const {
  return std::make_unique<TwoShotOperation>(group, plan);
}

}  // namespace tw
