#include "collectives/algorithms/two_shot.hpp"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include "collectives/chunk_coder.hpp"
#include "collectives/device_exchange.hpp"
#include "collectives/tag.hpp"
#include "collectives/windows.hpp"
#include "kernels/reduce.hpp"

namespace tw {
namespace {

// How many frames may be on the way between two ranks in each hop: enough to keep a link busy, few enough that their
// buffers are used again before they have left the cache. Twice as many are awaited, those that a device still reads
// included, so that a frame finds its receive also where this rank is busy with others.
constexpr std::size_t kWindow = 16;
constexpr std::size_t kAwaited = 2 * kWindow;
static_assert(kAwaited > Group::kRetiredUnmarked, "else a window could wait for ever for a mark");

// A chunk that this rank owns, on its way from worker frames to the mean.
struct OwnedChunk {
  const Chunk* chunk;
  std::vector<Message> frames;  // by rank; the own one is never received
  OwnFrame own = {};
  std::uint32_t next_source = 0;  // frames are added in rank order
  bool own_encoded = false;
  bool in_place = false;  // the sum grows in the tensors
  Buffer sum = {};
};

// A frame on its way to one peer or to all.
struct Outgoing {
  const Chunk* chunk;
  OwnFrame frame;
  std::vector<Request> sends = {};
  bool posted = false;  // not before the frame is ready
  bool done() const {
    return posted && std::all_of(sends.begin(), sends.end(), [](const Request& send) { return send.done(); });
  }
};

// Another rank as the owner of chunks: this one sends it gradients and awaits its means, in the same order.
struct OtherOwner {
  std::uint32_t rank;
  std::span<const Chunk> chunks;
  std::size_t encoded = 0;
  std::deque<Outgoing> sends = {};
  std::size_t posted_sends = 0;  // of those
  std::size_t posted = 0;
  std::size_t delivered = 0;
  GivenBack given_back = {};       // of means
  std::deque<Message> means = {};  // of chunks [delivered, posted)
};

class TwoShotOperation final : public BucketOperation {
 public:
  TwoShotOperation(Group& group, const BucketPlan& plan);

  void start(std::span<const Piece> pieces) override;
  Progress advance() override;
  bool gradient_consumed() const override { return consumed_; }
  Wait waiting_for() const override;

 private:
  Tag tag_of(const Chunk& chunk, Hop hop) const {
    return frame_tag(group_.step.step, plan_.bucket(), chunk.index, hop);
  }
  // Each does one chunk's worth of work, or returns false.
  bool add_arrived_frame();
  bool encode_next_gradient();
  bool encode_own_gradient();
  bool deliver_arrived_mean();
  void add_frame(OwnedChunk& owned);
  void add_in_place(OwnedChunk& owned);
  OwnFrame encode_mean(OwnedChunk& owned);
  void finish_owned(OwnedChunk& owned);
  void post_receives();
  bool send_ready_frames();
  void drop_finished_sends();
  bool all_delivered() const;
  bool is_consumed();
  bool is_complete();

  Group& group_;
  const BucketPlan& plan_;
  ChunkCoder coder_;
  std::size_t encoded_ = 0;  // chunks, of all owners
  bool consumed_ = false;
  std::optional<Group::Mark> all_encoded_, all_done_;  // once there is nothing more to enqueue
  std::vector<OwnedChunk> owned_;
  std::size_t own_encoded_ = 0, own_posted_ = 0, own_finished_ = 0;  // chunks up to here
  GivenBack own_given_back_;                                         // of what others sent for them
  std::deque<Outgoing> mean_sends_;
  std::size_t posted_means_ = 0;   // of those
  std::deque<OtherOwner> others_;  // beginning with the next rank
  std::size_t turn_ = 0;           // whose chunk is encoded next
};

// One chunk for each owner in turn, beginning with the next rank, so that every link and every owner has work early.
TwoShotOperation::TwoShotOperation(Group& group, const BucketPlan& plan)
    : group_(group), plan_(plan), coder_(group, plan) {
  for (const Chunk& chunk : plan.chunks_of(group.rank()))
    owned_.push_back({&chunk, std::vector<Message>(group.ranks())});
  for (std::uint32_t round = 1; round < group.ranks(); ++round) {
    const std::uint32_t peer = send_peer(group.rank(), round, group.ranks());
    others_.push_back({peer, plan.chunks_of(peer)});
    reserve_sends(group, plan.chunks_of(peer), kWindow, 1);
    reserve_receives(group, plan.chunks_of(peer), kAwaited);
  }
  const std::span<const Chunk> own = plan.chunks_of(group.rank());
  reserve_sends(group, own, kWindow, 1);
  reserve_own_frames(group, own, kAwaited);
  reserve_receives(group, own, kAwaited, others_.size());
  reserve_sums(group, own, kAwaited);
  coder_.take_scratch();
}

void TwoShotOperation::start(std::span<const Piece> pieces) {
  coder_.bind(pieces);
  encoded_ = own_encoded_ = own_posted_ = own_finished_ = turn_ = 0;
  consumed_ = false;
  all_encoded_.reset(), all_done_.reset();
  for (OwnedChunk& owned : owned_) {
    owned.next_source = 0;
    owned.own_encoded = false;
    owned.in_place = coder_.sums_in_place(*owned.chunk);
  }
  own_given_back_.restart();
  for (OtherOwner& other : others_) {
    other.encoded = other.posted = other.delivered = 0;
    other.given_back.restart();
  }
  post_receives();
}

void TwoShotOperation::post_receives() {
  for (; own_posted_ < std::min(owned_.size(), own_given_back_.chunks(group_) + kAwaited); ++own_posted_) {
    OwnedChunk& owned = owned_[own_posted_];
    for (const OtherOwner& other : others_)
      owned.frames[other.rank] =
          receive_frame(group_, other.rank, tag_of(*owned.chunk, Hop::worker), owned.chunk->layout.max_frame_bytes());
  }
  for (OtherOwner& other : others_)
    for (; other.posted < std::min(other.chunks.size(), other.given_back.chunks(group_) + kAwaited); ++other.posted) {
      const Chunk& chunk = other.chunks[other.posted];
      other.means.push_back(
          receive_frame(group_, other.rank, tag_of(chunk, Hop::owner), chunk.layout.max_frame_bytes()));
    }
}

Operation::Progress TwoShotOperation::advance() {
  drop_finished_sends();
  post_receives();  // where the device is done with more
  const bool sent = send_ready_frames();
  // The owner's work first: others wait for its means. Then what fills the wire; then what only this rank waits for.
  if (add_arrived_frame() || encode_next_gradient() || deliver_arrived_mean() || encode_own_gradient()) {
    send_ready_frames();
    post_receives();
    consumed_ = is_consumed();
    return Progress::more;
  }
  consumed_ = is_consumed();
  if (is_complete()) return Progress::complete;
  return sent ? Progress::more : Progress::waiting;
}

bool TwoShotOperation::is_consumed() {
  if (encoded_ != plan_.chunks().size()) return false;
  if (!all_encoded_) all_encoded_ = group_.mark();
  return group_.reached(*all_encoded_);
}

bool TwoShotOperation::is_complete() {
  if (!consumed_ || !all_delivered()) return false;
  if (!all_done_) all_done_ = group_.mark();
  if (!group_.given_back(*all_done_)) return false;
  coder_.refuse_bad_frames();
  return true;
}

bool TwoShotOperation::send_ready_frames() {
  bool sent = false;
  for (; posted_means_ < mean_sends_.size(); ++posted_means_, sent = true) {
    Outgoing& mean = mean_sends_[posted_means_];
    if (!(mean.posted = coder_.ready(*mean.chunk, Hop::owner, mean.frame))) break;
    for (const OtherOwner& other : others_)
      mean.sends.push_back(group_.send_frame(other.rank, tag_of(*mean.chunk, Hop::owner), mean.frame.buffer.bytes()));
  }
  for (OtherOwner& other : others_)
    for (; other.posted_sends < other.sends.size(); ++other.posted_sends, sent = true) {
      Outgoing& gradient = other.sends[other.posted_sends];
      if (!(gradient.posted = coder_.ready(*gradient.chunk, Hop::worker, gradient.frame))) break;
      gradient.sends.push_back(
          group_.send_frame(other.rank, tag_of(*gradient.chunk, Hop::worker), gradient.frame.buffer.bytes()));
    }
  return sent;
}

bool TwoShotOperation::add_arrived_frame() {
  for (std::size_t i = own_finished_; i < own_posted_; ++i) {
    OwnedChunk& owned = owned_[i];
    const std::uint32_t source = owned.next_source;
    if (source == group_.ranks()) continue;  // finished before an earlier one
    if (source + 1 == group_.ranks() && mean_sends_.size() == kWindow) continue;
    // What is added in place must not be taken for this rank's own.
    const bool needs_own = source >= group_.rank() || (owned.in_place && group_.rank() == 1);
    if ((needs_own && !owned.own_encoded) || !owned.frames[source].done()) continue;
    owned.in_place ? add_in_place(owned) : add_frame(owned);
    if (owned.next_source == group_.ranks()) finish_owned(owned);
    return true;
  }
  return false;
}

void TwoShotOperation::add_frame(OwnedChunk& owned) {
  const std::uint32_t source = owned.next_source++;
  if (source == 0) owned.sum = group_.coding_buffer(owned.chunk->count() * sizeof(float));
  const Combine combine = source == 0 ? Combine::assign : Combine::add;
  if (source != group_.rank())
    return coder_.decode_gradient(*owned.chunk, source, std::exchange(owned.frames[source], {}), combine,
                                  owned.sum.floats());
  coder_.decode_gradient(*owned.chunk, owned.own, combine, owned.sum.floats());
  owned.own = {};
}

// In rank order too: the two terms of a sum may change places, so the own gradient may take the sum of those before it,
// and that of rank 1 the single one before it.
void TwoShotOperation::add_in_place(OwnedChunk& owned) {
  const std::uint32_t rank = group_.rank(), source = owned.next_source;
  if (source < rank && rank > 1) return add_frame(owned);
  ++owned.next_source;
  if (source != rank) {
    coder_.add_in_place(*owned.chunk, source, std::exchange(owned.frames[source], {}));
  } else if (rank > 1) {
    coder_.add_in_place(*owned.chunk, owned.sum.floats());
    owned.sum.release();
  }
}

OwnFrame TwoShotOperation::encode_mean(OwnedChunk& owned) {
  if (owned.in_place) return coder_.finish_in_place(*owned.chunk);
  const std::span<float> mean = owned.sum.floats();
  divide(group_.exec, mean, static_cast<float>(group_.ranks()));
  return coder_.encode_mean(*owned.chunk, mean);
}

void TwoShotOperation::finish_owned(OwnedChunk& owned) {
  mean_sends_.push_back({owned.chunk, encode_mean(owned)});
  owned.sum.release();
  send_ready_frames();
  OwnFrame& mean = mean_sends_.back().frame;
  if (!owned.in_place) coder_.deliver_mean(*owned.chunk, mean);
  mean.encoded.release();
  while (own_finished_ < owned_.size() && owned_[own_finished_].next_source == group_.ranks()) ++own_finished_;
  own_given_back_.finished(group_, own_finished_);
}

bool TwoShotOperation::encode_next_gradient() {
  for (std::size_t tried = 0; tried < others_.size(); ++tried) {
    OtherOwner& other = others_[turn_];
    turn_ = (turn_ + 1) % others_.size();
    if (other.encoded == other.chunks.size() || other.sends.size() >= kWindow) continue;
    const Chunk& chunk = other.chunks[other.encoded++];
    ++encoded_;
    other.sends.push_back({&chunk, coder_.encode_gradient(chunk)});
    other.sends.back().frame.encoded.release();  // if it is a copy that leaves
    return true;
  }
  return false;
}

// No link waits for these, so they come last, and only as far ahead as sums have room.
bool TwoShotOperation::encode_own_gradient() {
  if (own_encoded_ == own_posted_) return false;
  OwnedChunk& owned = owned_[own_encoded_++];
  ++encoded_;
  if (owned.in_place)
    coder_.inspect_gradient(*owned.chunk);
  else
    owned.own = coder_.encode_own_gradient(*owned.chunk);
  return owned.own_encoded = true;
}

bool TwoShotOperation::deliver_arrived_mean() {
  for (OtherOwner& other : others_) {
    if (other.means.empty() || !other.means.front().done()) continue;
    coder_.deliver_mean(other.chunks[other.delivered], std::move(other.means.front()));
    other.means.pop_front();
    other.given_back.finished(group_, ++other.delivered);
    return true;
  }
  return false;
}

bool TwoShotOperation::all_delivered() const {
  const auto idle = [](const OtherOwner& other) {
    return other.delivered == other.chunks.size() && other.encoded == other.chunks.size() && other.sends.empty();
  };
  return own_finished_ == owned_.size() && mean_sends_.empty() && std::all_of(others_.begin(), others_.end(), idle);
}

void TwoShotOperation::drop_finished_sends() {
  for (; !mean_sends_.empty() && mean_sends_.front().done(); --posted_means_) mean_sends_.pop_front();
  for (OtherOwner& other : others_)
    for (; !other.sends.empty() && other.sends.front().done(); --other.posted_sends) other.sends.pop_front();
}

Operation::Wait TwoShotOperation::waiting_for() const {
  const auto unmade = [&](const Outgoing& outgoing) { return !group_.reached(outgoing.frame.made); };
  bool device_works = std::ranges::any_of(mean_sends_, unmade);
  for (const OtherOwner& other : others_) device_works |= std::ranges::any_of(other.sends, unmade);
  if (device_works) return {group_.rank(), "its device's work on bucket " + std::to_string(plan_.bucket())};
  const auto describe = [&](const Chunk& chunk, const char* what) {
    return std::string(what) + " of bucket " + std::to_string(plan_.bucket()) + ", chunk " +
           std::to_string(chunk.index);
  };
  for (std::size_t i = 0; i < owned_.size(); ++i) {
    const std::uint32_t source = owned_[i].next_source;
    if (source == group_.ranks() || source == group_.rank()) continue;
    if (i < own_posted_ && owned_[i].frames[source].done()) continue;  // it waits for means to leave
    return {source, describe(*owned_[i].chunk, "its gradient")};
  }
  for (const OtherOwner& other : others_)
    if (other.delivered != other.chunks.size())
      return {other.rank, describe(other.chunks[other.delivered], "the mean")};
  for (const OtherOwner& other : others_)
    if (!other.sends.empty()) return {other.rank, "sends of bucket " + std::to_string(plan_.bucket())};
  for (const Outgoing& mean : mean_sends_)
    for (std::size_t i = 0; i < mean.sends.size(); ++i)
      if (!mean.sends[i].done()) return {others_[i].rank, describe(*mean.chunk, "its receipt of the mean")};
  return {group_.rank(), "sends of bucket " + std::to_string(plan_.bucket())};
}

std::uint64_t frame_bytes(std::span<const Chunk> chunks) {
  std::uint64_t bytes = 0;
  for (const Chunk& chunk : chunks) bytes += chunk.layout.max_frame_bytes();
  return bytes;
}

}  // namespace

Cost TwoShot::cost(const BucketPlan& plan, std::uint32_t ranks, std::uint32_t rank, Route route) const {
  Cost cost;
  for (std::uint32_t owner = 0; owner < ranks; ++owner) {
    const std::span<const Chunk> chunks = plan.chunks_of(owner);
    const std::uint64_t receivers = owner == rank ? ranks - 1 : 1;
    cost.sent_bytes += receivers * frame_bytes(chunks);
    cost.messages += receivers * (route == Route::host_driven ? chunks.size() : chunks.empty() ? 0 : 1);
  }
  cost.steps = ranks > 1 ? 2 : 0;
  return cost;
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
  if (exchanges_on_device(group)) return two_shot_on_device(group, plan);
  return std::make_unique<TwoShotOperation>(group, plan);
}

}  // namespace tw
