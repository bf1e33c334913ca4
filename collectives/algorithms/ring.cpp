#include "collectives/algorithms/ring.hpp"

#include <algorithm>
#include <deque>

#include "collectives/chunk_coder.hpp"
#include "collectives/tag.hpp"

namespace tw {
namespace {

constexpr std::size_t kSendsUnderWay = 8;  // so that frames are sent while they are still in cache

// A chunk on its way round the ring, as this rank sees it.
struct RingChunk {
  const Chunk* chunk;
  bool begins;         // this rank is the first of its sum: the one after the owner
  bool owned;          // this rank is the last
  bool passes_mean;    // the next rank awaits the mean from this one
  Message sum, mean;   // what is awaited from the rank before
  bool added = false;  // this rank's gradient is in the sum
  bool delivered = false;
};

class RingOperation final : public BucketOperation {
 public:
  RingOperation(Group& group, const BucketPlan& plan);

  void start(std::span<const Piece> pieces) override;
  Progress advance() override;
  bool gradient_consumed() const override { return added_ == chunks_.size(); }
  Wait waiting_for() const override;

 private:
  std::uint32_t next() const { return send_peer(group_.rank(), 1, group_.ranks()); }
  std::uint32_t before() const { return receive_peer(group_.rank(), 1, group_.ranks()); }
  Tag tag_of(const Chunk& chunk, Hop hop) const {
    return frame_tag(group_.step.step, plan_.bucket(), chunk.index, hop);
  }
  // Each does one chunk's worth of work, or returns false.
  bool add_to_arrived_sum();
  bool take_arrived_mean();
  bool begin_next_sum();
  void finish_in_place(RingChunk& c);
  void pass_sum_on(RingChunk& c, Buffer sum);
  void pass_mean_on(RingChunk& c, Buffer mean);
  void send(const Chunk& chunk, Hop hop, Buffer frame);

  Group& group_;
  const BucketPlan& plan_;
  ChunkCoder coder_;
  std::vector<RingChunk> chunks_;  // in the order in which this rank begins or awaits their sums
  std::size_t begun_ = 0;          // chunks before this one are begun or not this rank's to begin
  std::size_t added_ = 0;
  std::size_t delivered_ = 0;
  std::deque<Message> sends_;
};

// Chunks of one owner come from the rank before one after another, while those that begin here wait for nobody.
RingOperation::RingOperation(Group& group, const BucketPlan& plan) : group_(group), plan_(plan), coder_(group, plan) {
  const std::uint32_t rank = group.rank(), ranks = group.ranks();
  for (const Chunk& chunk : plan.chunks())
    chunks_.push_back({&chunk,
                       ranks > 1 && chunk.owner == before(),
                       chunk.owner == rank,
                       ranks > 1 && chunk.owner != next(),
                       {},
                       {}});
}

void RingOperation::start(std::span<const Piece> pieces) {
  coder_.bind(pieces);
  begun_ = added_ = delivered_ = 0;
  for (RingChunk& c : chunks_) {
    c.added = c.delivered = false;
    if (group_.ranks() == 1) continue;
    const std::size_t bytes = c.chunk->layout.max_frame_bytes();
    if (!c.begins) c.sum = receive_message(group_, before(), tag_of(*c.chunk, Hop::worker), bytes);
    if (!c.owned) c.mean = receive_message(group_, before(), tag_of(*c.chunk, Hop::owner), bytes);
  }
}

Operation::Progress RingOperation::advance() {
  std::erase_if(sends_, [](const Message& message) { return message.done(); });
  // What others wait for first, then what begins new work for them.
  if (add_to_arrived_sum() || take_arrived_mean() || begin_next_sum()) return Progress::more;
  return delivered_ == chunks_.size() && sends_.empty() ? Progress::complete : Progress::waiting;
}

bool RingOperation::add_to_arrived_sum() {
  for (RingChunk& c : chunks_) {
    if (c.added || c.begins || group_.ranks() == 1 || !c.sum.done()) continue;
    if (c.owned && coder_.sums_in_place(*c.chunk)) {
      finish_in_place(c);
      return true;
    }
    Buffer sum = coder_.encode_unsealed(*c.chunk);
    coder_.add_payload(*c.chunk, before(), c.sum.received(), sum);
    c.sum = {};
    pass_sum_on(c, std::move(sum));
    return true;
  }
  return false;
}

// The last addition in the tensors themselves: the mean needs no delivery then.
void RingOperation::finish_in_place(RingChunk& c) {
  coder_.inspect_gradient(*c.chunk);
  coder_.add_in_place(*c.chunk, before(), c.sum.received());
  c.sum = {};
  Buffer mean = coder_.finish_in_place(*c.chunk);
  c.added = c.delivered = true;
  ++added_;
  ++delivered_;
  if (c.passes_mean) send(*c.chunk, Hop::owner, std::move(mean));
}

bool RingOperation::begin_next_sum() {
  if (sends_.size() >= kSendsUnderWay) return false;
  for (; begun_ < chunks_.size(); ++begun_) {
    RingChunk& c = chunks_[begun_];
    if (!c.begins && group_.ranks() != 1) continue;
    pass_sum_on(c, coder_.encode_unsealed(*c.chunk));
    ++begun_;
    return true;
  }
  return false;
}

void RingOperation::pass_sum_on(RingChunk& c, Buffer sum) {
  c.added = true;
  ++added_;
  if (!c.owned) {
    coder_.seal(*c.chunk, Hop::worker, sum);
    return send(*c.chunk, Hop::worker, std::move(sum));
  }
  coder_.divide_payload(sum);
  coder_.seal(*c.chunk, Hop::owner, sum);
  pass_mean_on(c, std::move(sum));
}

bool RingOperation::take_arrived_mean() {
  for (RingChunk& c : chunks_) {
    if (c.owned || c.delivered || !c.mean.done()) continue;
    c.mean.request = {};
    pass_mean_on(c, std::move(c.mean.buffer));
    return true;
  }
  return false;
}

void RingOperation::pass_mean_on(RingChunk& c, Buffer mean) {
  coder_.deliver_mean(*c.chunk, mean.bytes());  // checked before others get it
  c.delivered = true;
  ++delivered_;
  if (c.passes_mean) send(*c.chunk, Hop::owner, std::move(mean));
}

void RingOperation::send(const Chunk& chunk, Hop hop, Buffer frame) {
  Message message{std::move(frame), {}};
  message.request = group_.send(next(), tag_of(chunk, hop), message.buffer.bytes());
  sends_.push_back(std::move(message));
}

Operation::Wait RingOperation::waiting_for() const {
  const auto what = [&](const RingChunk& c, const char* text) {
    return std::string(text) + " of bucket " + std::to_string(plan_.bucket()) + ", chunk " +
           std::to_string(c.chunk->index);
  };
  for (const RingChunk& c : chunks_)
    if (!c.added) return {before(), what(c, "the partial sum")};
  for (const RingChunk& c : chunks_)
    if (!c.delivered) return {before(), what(c, "the mean")};
  return {next(), "sends of bucket " + std::to_string(plan_.bucket())};
}

}  // namespace

std::string Ring::refusal(const CodecTraits& traits) const {
  if (!traits.linear) return "its payloads are not linear, so they cannot be summed as they travel; use two_shot";
  if (!traits.fixed_size) return "the size of its payloads is not fixed; use two_shot";
  return {};
}

// Each chunk's sum is sent by all but its owner, its mean by all but the rank before its owner.
Cost Ring::cost(const BucketPlan& plan, std::uint32_t ranks, std::uint32_t rank) const {
  Cost cost;
  if (ranks == 1) return cost;
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
  return std::make_unique<RingOperation>(group, plan);
}

}  // namespace tw
