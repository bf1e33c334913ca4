#include "collectives/device_exchange.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "collectives/chunk_coder.hpp"
#include "collectives/tag.hpp"
#include "kernels/base/check.hpp"
#include "kernels/reduce.hpp"

namespace tw {
namespace {

/// What both have in common: the turn, since such groups match in the order in which they are posted and buckets may be
/// handed over in another; and the wait for the end.
class DeviceOperation : public BucketOperation {
 public:
  DeviceOperation(Group& group, const BucketPlan& plan) : group_(group), plan_(plan), coder_(group, plan) {}

  void start(std::span<const Piece> pieces) final {
    coder_.bind(pieces);
    enqueued_ = consumed_ = false;
  }
  Progress advance() final;
  bool gradient_consumed() const final { return consumed_; }
  Wait waiting_for() const final {
    const std::string bucket = std::to_string(plan_.bucket());
    if (!enqueued_)
      return {group_.rank(),
              "bucket " + bucket + " goes after bucket " + std::to_string(group_.turn) + ", which was not handed over"};
    return {(group_.rank() + 1) % group_.ranks(), "the device's exchange of bucket " + bucket};
  }

 protected:
  virtual void encode() = 0;
  /// All that follows.
  virtual void exchange() = 0;
  virtual void release() = 0;

  Group& group_;
  const BucketPlan& plan_;
  ChunkCoder coder_;
  std::vector<Request> requests_;

 private:
  void refuse_foreign_frames();

  bool enqueued_ = false, consumed_ = false;
  Group::Mark encoded_ = 0, done_ = 0;
};

Operation::Progress DeviceOperation::advance() {
  if (!enqueued_) {
    if (group_.turn != plan_.bucket()) return Progress::waiting;
    encode();
    encoded_ = group_.mark();
    exchange();
    done_ = group_.mark();
    enqueued_ = true;
    ++group_.turn;
    return Progress::more;
  }
  consumed_ = group_.reached(encoded_);
  const auto is_done = [](const Request& request) { return request.done(); };
  if (!consumed_ || !group_.reached(done_) || !std::all_of(requests_.begin(), requests_.end(), is_done))
    return Progress::waiting;
  requests_.clear();
  release();
  refuse_foreign_frames();
  return Progress::complete;
}

void DeviceOperation::refuse_foreign_frames() {
  const std::uint32_t found = group_.status(Hop::owner);
  TW_CHECK((found & kStatusBadPayload) == 0, WireError, "bucket ", plan_.bucket(), " at rank ", group_.rank(),
           ": a frame of another rank holds indices out of range or order");
  TW_CHECK(
      (found & kStatusBadFrame) == 0, WireError, "bucket ", plan_.bucket(), " at rank ", group_.rank(),
      ": a frame of another rank has not the header or checksum that was expected, or was made of one that had not");
}

/// Frames of several chunks, one after another, in a buffer on the device.
struct Parcel {
  std::span<const Chunk> chunks;
  Buffer buffer = {};

  std::size_t bytes() const {
    std::size_t sum = 0;
    for (const Chunk& chunk : chunks) sum += chunk.layout.max_frame_bytes();
    return sum;
  }
  /// Calls visit(chunk, its frame).
  template <class Visit>
  void for_each(Visit visit) {
    auto rest = buffer.bytes();
    for (const Chunk& chunk : chunks) {
      visit(chunk, rest.first(chunk.layout.max_frame_bytes()));
      rest = rest.subspan(chunk.layout.max_frame_bytes());
    }
  }
};

class TwoShotOnDevice final : public DeviceOperation {
 public:
  TwoShotOnDevice(Group& group, const BucketPlan& plan) : DeviceOperation(group, plan) {
    for (std::uint32_t rank = 0; rank < group.ranks(); ++rank) {
      outgoing_.push_back({plan.chunks_of(rank)});
      incoming_.push_back({plan.chunks_of(group.rank())});
      means_.push_back({plan.chunks_of(rank)});
    }
  }

 private:
  void encode() override;
  void exchange() override;
  void release() override;
  void take_room(Parcel& parcel) { parcel.buffer = group_.coding_buffer(parcel.bytes(), kFrameHeaderBytes); }
  void swap(std::vector<Parcel>& sent, std::vector<Parcel>& received, Hop hop);
  void average();
  void deliver();
  std::uint32_t own() const { return group_.rank(); }

  std::vector<Parcel> outgoing_;  // by owner
  std::vector<Parcel> incoming_;  // by source: its gradient of what this rank owns
  std::vector<Parcel> means_;     // by owner
  std::vector<Op> ops_;
};

void TwoShotOnDevice::encode() {
  for (Parcel& parcel : outgoing_) {
    take_room(parcel);
    parcel.for_each([&](const Chunk& chunk, auto frame) { coder_.encode_gradient_into(chunk, frame); });
  }
}

void TwoShotOnDevice::exchange() {
  for (Parcel& parcel : incoming_)
    if (&parcel != &incoming_[own()]) take_room(parcel);
  swap(outgoing_, incoming_, Hop::worker);
  average();
  for (Parcel& parcel : means_)
    if (&parcel != &means_[own()]) take_room(parcel);
  swap(means_, means_, Hop::owner);
  deliver();
}

// Sends each other rank its parcel of `sent`, or the own one where that is for all, and receives theirs.
void TwoShotOnDevice::swap(std::vector<Parcel>& sent, std::vector<Parcel>& received, Hop hop) {
  ops_.clear();
  for (std::uint32_t peer = 0; peer < group_.ranks(); ++peer) {
    if (peer == own()) continue;
    Parcel& parcel = hop == Hop::worker ? sent[peer] : sent[own()];
    const Tag tag = frame_tag(group_.step.step, plan_.bucket(), 0, hop);
    if (parcel.bytes() != 0) ops_.push_back({Op::Kind::send, peer, tag, parcel.buffer.bytes(), Space::device});
    if (received[peer].bytes() != 0)
      ops_.push_back({Op::Kind::receive, peer, tag, received[peer].buffer.bytes(), Space::device});
  }
  if (!ops_.empty()) requests_.push_back(group_.post_on_device(ops_));
}

// In rank order; what this rank sends itself stays where it was encoded.
void TwoShotOnDevice::average() {
  std::vector<Parcel>& sources = incoming_;
  sources[own()].buffer = std::move(outgoing_[own()].buffer);
  take_room(means_[own()]);
  std::size_t at = 0;
  means_[own()].for_each([&](const Chunk& chunk, std::span<std::byte> mean_frame) {
    Buffer sum = group_.coding_buffer(chunk.count() * sizeof(float));
    for (std::uint32_t source = 0; source < group_.ranks(); ++source)
      coder_.decode_gradient_from(chunk, source, sources[source].buffer.bytes().subspan(at, mean_frame.size()),
                                  source == 0 ? Combine::assign : Combine::add, sum.floats());
    divide(group_.exec, sum.floats(), static_cast<float>(group_.ranks()));
    coder_.encode_mean_into(chunk, sum.floats(), mean_frame);
    at += mean_frame.size();
  });
}

void TwoShotOnDevice::deliver() {
  for (Parcel& parcel : means_)
    parcel.for_each([&](const Chunk& chunk, auto frame) { coder_.deliver_mean_from(chunk, frame); });
}

void TwoShotOnDevice::release() {
  for (auto* parcels : {&outgoing_, &incoming_, &means_})
    for (Parcel& parcel : *parcels) parcel.buffer.release();
}

class DenseOnDevice final : public DeviceOperation {
 public:
  DenseOnDevice(Group& group, const BucketPlan& plan) : DeviceOperation(group, plan) {
    for (const Chunk& chunk : plan.chunks()) bytes_ += payload_bytes(chunk);
  }

 private:
  static std::size_t payload_bytes(const Chunk& chunk) { return chunk.layout.max_frame_bytes() - kFrameHeaderBytes; }
  template <class Visit>
  void for_each_payload(Visit visit) {
    auto rest = payload_.floats();
    for (const Chunk& chunk : plan_.chunks()) {
      const std::size_t count = payload_bytes(chunk) / sizeof(float);
      visit(chunk, rest.first(count));
      rest = rest.subspan(count);
    }
  }

  void encode() override {
    payload_ = group_.coding_buffer(bytes_);
    for_each_payload([&](const Chunk& chunk, auto payload) { coder_.encode_payload_into(chunk, payload); });
  }
  void exchange() override {
    if (bytes_ != 0) requests_.push_back(group_.sum_on_device(payload_.floats()));
    for_each_payload([&](const Chunk& chunk, auto payload) { coder_.deliver_payload_sum(chunk, payload); });
  }
  void release() override { payload_.release(); }

  std::size_t bytes_ = 0;
  Buffer payload_;
};

}  // namespace

bool exchanges_on_device(const Group& group) {
  const Caps caps = group.transport.caps();
  return group.codes_on_device() && caps.device_memory && caps.stream_ordered;
}

bool sums_on_device(const Group& group) { return exchanges_on_device(group) && group.transport.caps().device_sums; }

std::unique_ptr<BucketOperation> two_shot_on_device(Group& group, const BucketPlan& plan) {
  return std::make_unique<TwoShotOnDevice>(group, plan);
}

std::unique_ptr<BucketOperation> dense_on_device(Group& group, const BucketPlan& plan) {
  return std::make_unique<DenseOnDevice>(group, plan);
}

}  // namespace tw
