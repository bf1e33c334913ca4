#include "collectives/algorithms/all_gather_reduce.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "collectives/chunk_coder.hpp"
#include "collectives/device_exchange.hpp"
#include "collectives/tag.hpp"
#include "collectives/windows.hpp"
#include "kernels/reduce.hpp"

namespace tw {
namespace {

struct GatheredChunk {
  const Chunk* chunk;
  std::vector<Message> frames;  // by rank; the own one is never received
  OwnFrame own = {};
  std::vector<Request> sends = {};  // of the own frame
  std::uint32_t next_source = 0;    // frames are added in rank order
  Buffer sum = {};
};

class AllGatherReduceOperation final : public BucketOperation {
 public:
  AllGatherReduceOperation(Group& group, const BucketPlan& plan) : group_(group), plan_(plan), coder_(group, plan) {
    for (const Chunk& chunk : plan.chunks()) chunks_.push_back({&chunk, std::vector<Message>(group.ranks())});
    reserve_sends(group, plan.chunks(), chunks_.size(), chunks_.size());
    reserve_receives(group, plan.chunks(), chunks_.size(), group.ranks() - 1);
    reserve_sums(group, plan.chunks(), chunks_.size());
    coder_.take_scratch();
  }

  void start(std::span<const Piece> pieces) override;
  Progress advance() override;
  bool gradient_consumed() const override { return consumed_; }
  Wait waiting_for() const override;

 private:
  // Each does one chunk's worth of work, or returns false.
  bool encode_next();
  bool send_ready_frame();
  bool add_arrived_frame();
  void add_frame(GatheredChunk& c);
  bool drop_finished_sends();
  bool is_consumed();
  bool is_complete();

  Group& group_;
  const BucketPlan& plan_;
  ChunkCoder coder_;
  std::vector<GatheredChunk> chunks_;
  std::size_t encoded_ = 0, sent_ = 0, delivered_ = 0;
  bool consumed_ = false;
  std::optional<Group::Mark> all_encoded_, all_done_;  // once there is nothing more to enqueue
};

void AllGatherReduceOperation::start(std::span<const Piece> pieces) {
  coder_.bind(pieces);
  encoded_ = sent_ = delivered_ = 0;
  consumed_ = false;
  all_encoded_.reset(), all_done_.reset();
  for (GatheredChunk& c : chunks_) {
    c.next_source = 0;
    for (std::uint32_t round = 1; round < group_.ranks(); ++round) {
      const std::uint32_t peer = receive_peer(group_.rank(), round, group_.ranks());
      c.frames[peer] =
          receive_frame(group_, peer, frame_tag(group_.step.step, plan_.bucket(), c.chunk->index, Hop::worker),
                        c.chunk->layout.max_frame_bytes());
    }
  }
}

Operation::Progress AllGatherReduceOperation::advance() {
  // Others wait for what is encoded here.
  const bool worked = send_ready_frame() || encode_next() || add_arrived_frame();
  consumed_ = is_consumed();
  if (worked) return Progress::more;
  return is_complete() ? Progress::complete : Progress::waiting;
}

bool AllGatherReduceOperation::is_consumed() {
  if (encoded_ != chunks_.size()) return false;
  if (!all_encoded_) all_encoded_ = group_.mark();
  return group_.reached(*all_encoded_);
}

bool AllGatherReduceOperation::is_complete() {
  if (!consumed_ || delivered_ != chunks_.size() || sent_ != chunks_.size() || !drop_finished_sends()) return false;
  if (!all_done_) all_done_ = group_.mark();
  if (!group_.given_back(*all_done_)) return false;
  coder_.refuse_bad_frames();
  return true;
}

bool AllGatherReduceOperation::encode_next() {
  if (encoded_ == chunks_.size()) return false;
  GatheredChunk& c = chunks_[encoded_++];
  c.own = coder_.encode_gradient(*c.chunk);
  return true;
}

bool AllGatherReduceOperation::send_ready_frame() {
  if (sent_ == encoded_ || !coder_.ready(*chunks_[sent_].chunk, Hop::worker, chunks_[sent_].own)) return false;
  GatheredChunk& c = chunks_[sent_++];
  const Tag tag = frame_tag(group_.step.step, plan_.bucket(), c.chunk->index, Hop::worker);
  for (std::uint32_t round = 1; round < group_.ranks(); ++round)
    c.sends.push_back(group_.send_frame(send_peer(group_.rank(), round, group_.ranks()), tag, c.own.buffer.bytes()));
  return true;
}

bool AllGatherReduceOperation::add_arrived_frame() {
  for (std::size_t i = 0; i < encoded_; ++i) {  // the own frame is there
    GatheredChunk& c = chunks_[i];
    if (c.next_source == group_.ranks() || !c.frames[c.next_source].done()) continue;
    add_frame(c);
    if (c.next_source < group_.ranks()) return true;
    divide(group_.exec, c.sum.floats(), static_cast<float>(group_.ranks()));
    coder_.deliver_values(*c.chunk, c.sum.floats());
    c.sum.release();
    ++delivered_;
    return true;
  }
  return false;
}

void AllGatherReduceOperation::add_frame(GatheredChunk& c) {
  const std::uint32_t source = c.next_source++;
  if (source == 0) c.sum = group_.coding_buffer(c.chunk->count() * sizeof(float));
  const Combine combine = source == 0 ? Combine::assign : Combine::add;
  if (source == group_.rank())
    coder_.decode_gradient(*c.chunk, c.own, combine, c.sum.floats());
  else
    coder_.decode_gradient(*c.chunk, source, std::exchange(c.frames[source], {}), combine, c.sum.floats());
}

// True once nothing is on its way any more.
bool AllGatherReduceOperation::drop_finished_sends() {
  for (GatheredChunk& c : chunks_) {
    if (!std::all_of(c.sends.begin(), c.sends.end(), [](const Request& send) { return send.done(); })) return false;
    c.sends.clear();
    c.own = {};
  }
  return true;
}

Operation::Wait AllGatherReduceOperation::waiting_for() const {
  for (const GatheredChunk& c : chunks_)
    if (c.next_source != group_.ranks())
      return {c.next_source,
              "its gradient of bucket " + std::to_string(plan_.bucket()) + ", chunk " + std::to_string(c.chunk->index)};
  for (const GatheredChunk& c : chunks_)
    for (std::uint32_t round = 1; round <= c.sends.size(); ++round)
      if (!c.sends[round - 1].done())
        return {send_peer(group_.rank(), round, group_.ranks()), "sends of bucket " + std::to_string(plan_.bucket())};
  return {group_.rank(), "sends of bucket " + std::to_string(plan_.bucket())};
}

}  // namespace

Cost AllGatherReduce::cost(const BucketPlan& plan, std::uint32_t ranks, std::uint32_t, Route route) const {
  Cost cost;
  for (const Chunk& chunk : plan.chunks()) cost.sent_bytes += (ranks - 1) * chunk.layout.max_frame_bytes();
  const std::uint64_t chunks = plan.chunks().size();
  cost.messages = (ranks - 1) * (route == Route::host_driven ? chunks : std::min<std::uint64_t>(chunks, 1));
  cost.steps = ranks > 1 ? 1 : 0;
  return cost;
}

void AllGatherReduce::declare_slots(State& state, const BucketPlan& plan, std::uint32_t, std::uint32_t) const {
  for (const Chunk& chunk : plan.chunks())
    for (const Extent& extent : chunk.layout.extents())
      chunk.compressor->declare_slots(state, *extent.param, Hop::worker, 0, extent.param->count());
}

std::unique_ptr<BucketOperation> AllGatherReduce::prepare(Group& group, const BucketPlan& plan) const {
  if (exchanges_on_device(group)) return all_gather_reduce_on_device(group, plan);
  return std::make_unique<AllGatherReduceOperation>(group, plan);
}

}  // namespace tw
