#include "collectives/algorithms/ring.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "collectives/chunk_coder.hpp"
#include "collectives/device_exchange.hpp"
#include "collectives/tag.hpp"
#include "collectives/windows.hpp"

namespace tw {
namespace {

// Few at a time, so that what is sent and received is still in the cache when it is used, and no rank runs ahead.
constexpr std::size_t kBegunAhead = 8;  // chunks that are begun here and whose means are not back
constexpr std::size_t kAwaited = 2;     // sums, and means, of each owner
constexpr std::size_t kPassedOn = 4;    // those that came, and that the next rank, or the device, still takes

// The chunks of one owner on their way round the ring, as this rank sees them: one after another, in order.
struct Lane {
  std::span<const Chunk> chunks;
  bool begins = false;       // this rank is the first of their sums: the one after the owner
  bool owned = false;        // this rank is the last
  bool passes_mean = false;  // the next rank awaits the mean from this one
  std::size_t added = 0;     // this rank's gradient is in the sums of so many
  std::size_t delivered = 0;
  // What is awaited from the rank before; that of chunk i at i % kAwaited.
  std::size_t sums_posted = 0, means_posted = 0;
  std::array<Message, kAwaited> sums = {}, means = {};
  std::array<std::size_t, 2> leaving = {};  // frames of this lane in `sends_`, by hop

  bool awaits_sum() const { return !begins && added < chunks.size(); }
  bool awaits_mean() const { return !owned && delivered < chunks.size(); }
  Message& sum() { return sums[added % kAwaited]; }
  Message& mean() { return means[delivered % kAwaited]; }
  const Message& sum() const { return sums[added % kAwaited]; }
  const Message& mean() const { return means[delivered % kAwaited]; }
  // What a sum becomes with this rank's gradient.
  Hop adds_to() const { return owned ? Hop::owner : Hop::worker; }
  std::size_t& leaving_at(Hop hop) { return leaving[static_cast<std::size_t>(hop)]; }
  // Whether the next rank, which may be slow, has taken enough of what came. No rank waits for itself: sums leave
  // towards the owner, whose means leave towards the rank before it, which keeps them.
  bool may_take(Hop hop) { return leaving_at(hop) < kPassedOn; }
};

// A frame on its way to the next rank, or one that only the device still reads.
struct Outgoing {
  Lane* lane;
  const Chunk* chunk;
  Hop hop;
  OwnFrame frame;
  Request send = {};
  bool posted = false;  // not before the frame is ready; one that stays has no send
  bool stays() const { return hop == Hop::owner && !lane->passes_mean; }
};

class RingOperation final : public BucketOperation {
 public:
  RingOperation(Group& group, const BucketPlan& plan);

  void start(std::span<const Piece> pieces) override;
  Progress advance() override;
  bool gradient_consumed() const override { return consumed_; }
  Wait waiting_for() const override;

 private:
  std::uint32_t next() const { return send_peer(group_.rank(), 1, group_.ranks()); }
  std::uint32_t before() const { return receive_peer(group_.rank(), 1, group_.ranks()); }
  Tag tag_of(const Chunk& chunk, Hop hop) const {
    return frame_tag(group_.step.step, plan_.bucket(), chunk.index, hop);
  }
  void reserve(const Lane& lane);
  void post_receives(Lane& lane);
  // Each does one chunk's worth of work, or returns false.
  bool add_to_arrived_sum();
  bool take_arrived_mean();
  bool begin_next_sum();
  // The next chunk of the lane, whose gradient counts as used from now on.
  const Chunk& take_gradient_of(Lane& lane);
  // A sum, or the mean, which is delivered.
  void pass_on(Lane& lane, const Chunk& chunk, Hop hop, OwnFrame frame);
  bool send_ready_frames();
  void drop_finished_sends();
  bool is_consumed();
  bool is_complete() const;

  Group& group_;
  const BucketPlan& plan_;
  ChunkCoder coder_;
  std::vector<Lane> lanes_;  // by owner
  std::size_t added_ = 0;    // of all lanes
  std::size_t delivered_ = 0;
  bool consumed_ = false;
  std::optional<Group::Mark> all_added_;  // once there is nothing more to add
  std::vector<Outgoing> sends_;
};

RingOperation::RingOperation(Group& group, const BucketPlan& plan)
    : group_(group), plan_(plan), coder_(group, plan), lanes_(group.ranks()) {
  for (std::uint32_t owner = 0; owner < group.ranks(); ++owner) {
    Lane& lane = lanes_[owner];
    lane.chunks = plan.chunks_of(owner);
    lane.begins = owner == before();  // a rank alone is before itself
    lane.owned = owner == group.rank();
    lane.passes_mean = owner != next();
    reserve(lane);
  }
  coder_.take_scratch();
}

// What came is passed on in the room where it came. The owner of a chunk makes the mean in the sum's. Where a device
// adds to copies, it needs them for one chunk at a time.
void RingOperation::reserve(const Lane& lane) {
  if (lane.begins) {
    reserve_sends(group_, lane.chunks, kBegunAhead, 1);
  } else {
    reserve_receives(group_, lane.chunks, kAwaited + kPassedOn);
    reserve_own_frames(group_, lane.chunks, 1);
    if (group_.staged()) reserve_own_frames(group_, lane.chunks, 1);  // copies
  }
  if (!lane.owned) reserve_receives(group_, lane.chunks, kAwaited + kPassedOn);
}

void RingOperation::start(std::span<const Piece> pieces) {
  coder_.bind(pieces);
  added_ = delivered_ = 0;
  consumed_ = false;
  all_added_.reset();
  for (Lane& lane : lanes_) {
    lane.added = lane.delivered = lane.sums_posted = lane.means_posted = 0;
    post_receives(lane);
  }
}

void RingOperation::post_receives(Lane& lane) {
  const auto post = [&](const Chunk& chunk, Hop hop) {
    return receive_frame(group_, before(), tag_of(chunk, hop), chunk.layout.max_frame_bytes());
  };
  if (!lane.begins)
    for (; lane.sums_posted < std::min(lane.added + kAwaited, lane.chunks.size()); ++lane.sums_posted)
      lane.sums[lane.sums_posted % kAwaited] = post(lane.chunks[lane.sums_posted], Hop::worker);
  if (!lane.owned)
    for (; lane.means_posted < std::min(lane.delivered + kAwaited, lane.chunks.size()); ++lane.means_posted)
      lane.means[lane.means_posted % kAwaited] = post(lane.chunks[lane.means_posted], Hop::owner);
}

Operation::Progress RingOperation::advance() {
  drop_finished_sends();
  const bool sent = send_ready_frames();
  // What others wait for first, then what begins new work for them.
  const bool worked = add_to_arrived_sum() || take_arrived_mean() || begin_next_sum();
  consumed_ = is_consumed();
  if (worked || sent) return Progress::more;
  return is_complete() ? Progress::complete : Progress::waiting;
}

bool RingOperation::is_consumed() {
  if (added_ != plan_.chunks().size()) return false;
  if (!all_added_) all_added_ = group_.mark();
  return group_.reached(*all_added_);
}

// All work on the device comes before the mark of a frame, which it had reached when that was dropped; and a frame was
// looked at before it counted as posted.
bool RingOperation::is_complete() const { return consumed_ && delivered_ == plan_.chunks().size() && sends_.empty(); }

bool RingOperation::add_to_arrived_sum() {
  for (Lane& lane : lanes_) {
    if (!lane.awaits_sum() || !lane.sum().done() || !lane.may_take(lane.adds_to())) continue;
    Message sum = std::move(lane.sum());
    const Chunk& chunk = take_gradient_of(lane);
    post_receives(lane);
    pass_on(lane, chunk, lane.adds_to(),
            lane.owned ? coder_.finish_sum(chunk, before(), std::move(sum))
                       : coder_.add_to_sum(chunk, before(), std::move(sum)));
    return true;
  }
  return false;
}

bool RingOperation::begin_next_sum() {
  Lane& lane = lanes_[before()];
  if (lane.added == lane.chunks.size() || lane.added - lane.delivered >= kBegunAhead) return false;
  if (lane.leaving_at(lane.adds_to()) >= kBegunAhead) return false;
  const Chunk& chunk = take_gradient_of(lane);
  pass_on(lane, chunk, lane.adds_to(), lane.owned ? coder_.mean_of_one(chunk) : coder_.begin_sum(chunk));
  return true;
}

const Chunk& RingOperation::take_gradient_of(Lane& lane) {
  ++added_;
  return lane.chunks[lane.added++];
}

bool RingOperation::take_arrived_mean() {
  for (Lane& lane : lanes_) {
    if (!lane.awaits_mean() || !lane.mean().done() || !lane.may_take(Hop::owner)) continue;
    Message mean = std::move(lane.mean());
    const auto use = lane.passes_mean ? ChunkCoder::Use::sent : ChunkCoder::Use::here;
    const Chunk& chunk = lane.chunks[lane.delivered];
    pass_on(lane, chunk, Hop::owner, coder_.take_mean(chunk, std::move(mean), use));
    post_receives(lane);
    return true;
  }
  return false;
}

void RingOperation::pass_on(Lane& lane, const Chunk& chunk, Hop hop, OwnFrame frame) {
  if (hop == Hop::owner) ++lane.delivered, ++delivered_;
  ++lane.leaving_at(hop);
  sends_.push_back({&lane, &chunk, hop, std::move(frame)});
  send_ready_frames();
}

bool RingOperation::send_ready_frames() {
  bool sent = false;
  for (Outgoing& outgoing : sends_) {
    if (outgoing.posted || !coder_.ready(*outgoing.chunk, outgoing.hop, outgoing.frame)) continue;
    if (!outgoing.stays())
      outgoing.send = group_.send_frame(next(), tag_of(*outgoing.chunk, outgoing.hop), outgoing.frame.buffer.bytes());
    sent = outgoing.posted = true;
  }
  return sent;
}

void RingOperation::drop_finished_sends() {
  std::erase_if(sends_, [&](const Outgoing& outgoing) {
    if (!outgoing.posted || !outgoing.send.done() || !group_.reached(outgoing.frame.made)) return false;
    --outgoing.lane->leaving_at(outgoing.hop);
    return true;
  });
}

Operation::Wait RingOperation::waiting_for() const {
  const auto wait = [&](const Chunk& chunk, const char* what) -> Wait {
    return {before(), std::string(what) + " of bucket " + std::to_string(plan_.bucket()) + ", chunk " +
                          std::to_string(chunk.index)};
  };
  const std::string bucket = " bucket " + std::to_string(plan_.bucket());
  if (std::ranges::any_of(sends_, [&](const Outgoing& o) { return !group_.reached(o.frame.made); }))
    return {group_.rank(), "its device's work on" + bucket};
  for (const Lane& lane : lanes_)  // what is there may wait for the next rank
    if (lane.awaits_sum() && !lane.sum().done()) return wait(lane.chunks[lane.added], "the partial sum");
  for (const Lane& lane : lanes_)
    if (lane.awaits_mean() && !lane.mean().done()) return wait(lane.chunks[lane.delivered], "the mean");
  return sends_.empty() ? Wait{group_.rank(), "its device's work on" + bucket} : Wait{next(), "sends of" + bucket};
}

}  // namespace

std::string Ring::refusal(const CodecTraits& traits) const {
  if (!traits.linear) return "its payloads are not linear, so they cannot be summed as they travel; use two_shot";
  if (!traits.fixed_size) return "the size of its payloads is not fixed; use two_shot";
  return {};
}

// Each chunk's sum is sent by all but its owner, its mean by all but the rank before its owner. In the order of a
// stream the transport sums all payloads at once.
Cost Ring::cost(const BucketPlan& plan, std::uint32_t ranks, std::uint32_t rank, Route route) const {
  Cost cost;
  if (ranks == 1 || plan.chunks().empty()) return cost;
  if (route == Route::stream_ordered) {
    for (const Chunk& chunk : plan.chunks()) cost.sent_bytes += chunk.layout.max_frame_bytes() - kFrameHeaderBytes;
    cost.messages = cost.steps = 1;
    return cost;
  }
  for (const Chunk& chunk : plan.chunks()) {
    const std::uint64_t messages = (chunk.owner != rank) + (chunk.owner != send_peer(rank, 1, ranks));
    cost.messages += messages;
    cost.sent_bytes += messages * chunk.layout.max_frame_bytes();
  }
  cost.steps = 2 * (ranks - 1);
  return cost;
}

void Ring::declare_slots(State& state, const BucketPlan& plan, std::uint32_t, std::uint32_t) const {
  for (const Chunk& chunk : plan.chunks())
    for (const Extent& extent : chunk.layout.extents())
      chunk.compressor->declare_slots(state, *extent.param, Hop::worker, 0, extent.param->count());
}

std::unique_ptr<BucketOperation> Ring::prepare(Group& group, const BucketPlan& plan) const {
  if (sums_on_device(group)) return dense_on_device(group, plan);
  return std::make_unique<RingOperation>(group, plan);
}

}  // namespace tw
