#include "collectives/device_exchange.hpp"

#include <vector>

#include "collectives/device_operation.hpp"
#include "collectives/device_rooms.hpp"
#include "collectives/tag.hpp"
#include "kernels/cuda/batch.hpp"
#include "kernels/reduce.hpp"

namespace tw {
namespace {

/// Frames of several chunks, one after another, in device memory.
struct Parcel {
  std::span<const Chunk> chunks;
  std::span<std::byte> room = {};

  std::size_t bytes() const {
    std::size_t sum = 0;
    for (const Chunk& chunk : chunks) sum += chunk.layout.max_frame_bytes();
    return sum;
  }
  /// Calls visit(number of the chunk in the parcel, chunk, its frame).
  template <class Visit>
  void for_each(Visit visit) const {
    auto rest = room;
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      visit(i, chunks[i], rest.first(chunks[i].layout.max_frame_bytes()));
      rest = rest.subspan(chunks[i].layout.max_frame_bytes());
    }
  }
};

/// What is common to exchanges of frames: chunks that this rank sums of everybody's frames. All chunks of a bucket
/// share the launches of each of these calls.
class FramesOnDevice : public DeviceOperation {
 protected:
  FramesOnDevice(Group& group, const BucketPlan& plan, std::span<const Chunk> summed)
      : DeviceOperation(group, plan), summed_(summed) {
    for (std::uint32_t source = 0; source < group.ranks(); ++source) incoming_.push_back({summed});
    means_.resize(summed.size());
  }

  std::uint32_t own() const { return group_.rank(); }
  static void place(RoomCutter& cutter, Parcel& parcel) { parcel.room = cutter.cut(parcel.bytes(), kFrameHeaderBytes); }
  /// What others send, and the means.
  void place_sums(RoomCutter& cutter);

  void encode_gradients(const Parcel& parcel);
  /// Adds a message to or from `peer`, if there is anything in it.
  void add_op(Op::Kind kind, std::uint32_t peer, Hop hop, const Parcel& parcel);
  void post_ops() {
    post(ops_);
    ops_.clear();
  }
  void check_gradients();
  /// The means of what others sent and of this rank's own part, which is where it was encoded.
  void average();

  const std::span<const Chunk> summed_;
  std::vector<Parcel> incoming_;         // by source, of what this rank sums
  std::vector<std::span<float>> means_;  // of those chunks

 private:
  void add_gradients(std::uint32_t source);

  std::vector<Op> ops_;
};

void FramesOnDevice::place_sums(RoomCutter& cutter) {
  for (Parcel& parcel : incoming_)
    if (&parcel != &incoming_[own()]) place(cutter, parcel);
  for (std::size_t i = 0; i < means_.size(); ++i) {
    const auto room = cutter.cut(summed_[i].count() * sizeof(float));
    means_[i] = {reinterpret_cast<float*>(room.data()), summed_[i].count()};
  }
}

void FramesOnDevice::encode_gradients(const Parcel& parcel) {
  cuda::BatchScope batch(group_.exec);
  parcel.for_each([&](std::size_t, const Chunk& chunk, auto frame) {
    batch.begin_job();
    coder_.encode_gradient_into(chunk, frame);
  });
  batch.close();
}

void FramesOnDevice::add_op(Op::Kind kind, std::uint32_t peer, Hop hop, const Parcel& parcel) {
  const Tag tag = frame_tag(group_.step.step, plan_.bucket(), 0, hop);
  if (!parcel.room.empty()) ops_.push_back({kind, peer, tag, parcel.room, Space::device});
}

void FramesOnDevice::check_gradients() {
  cuda::BatchScope batch(group_.exec);
  for (std::uint32_t source = 0; source < group_.ranks(); ++source) {
    if (source == own()) continue;
    incoming_[source].for_each([&](std::size_t, const Chunk& chunk, auto frame) {
      batch.begin_job();
      coder_.check_frame(chunk, source, Hop::worker, frame);
    });
  }
  batch.close();
}

void FramesOnDevice::add_gradients(std::uint32_t source) {
  cuda::BatchScope batch(group_.exec);
  incoming_[source].for_each([&](std::size_t i, const Chunk& chunk, auto frame) {
    batch.begin_job();
    coder_.decode_gradient_from(chunk, source, frame, source == 0 ? Combine::assign : Combine::add, means_[i]);
  });
  batch.close();
}

// In rank order.
void FramesOnDevice::average() {
  for (std::uint32_t source = 0; source < group_.ranks(); ++source) add_gradients(source);
  cuda::BatchScope batch(group_.exec);
  for (const std::span<float> mean : means_) {
    batch.begin_job();
    divide(group_.exec, mean, static_cast<float>(group_.ranks()));
  }
  batch.close();
}

class TwoShotOnDevice final : public FramesOnDevice {
 public:
  TwoShotOnDevice(Group& group, const BucketPlan& plan) : FramesOnDevice(group, plan, plan.chunks_of(group.rank())) {
    for (std::uint32_t rank = 0; rank < group.ranks(); ++rank) {
      outgoing_.push_back({plan.chunks_of(rank)});
      delivered_.push_back({plan.chunks_of(rank)});
    }
  }

 private:
  void place_encoded(RoomCutter& cutter) override;
  void place_exchanged(RoomCutter& cutter) override;
  void encode() override;
  Left exchange(std::uint32_t phase) override;
  void swap_gradients();
  void swap_means();
  void encode_means();
  void deliver();

  std::vector<Parcel> outgoing_;   // by owner
  std::vector<Parcel> delivered_;  // by owner: means
};

// What this rank sends itself stays where it was encoded.
void TwoShotOnDevice::place_encoded(RoomCutter& cutter) {
  for (Parcel& parcel : outgoing_) place(cutter, parcel);
  incoming_[own()].room = outgoing_[own()].room;
}

void TwoShotOnDevice::place_exchanged(RoomCutter& cutter) {
  place_sums(cutter);
  for (Parcel& parcel : delivered_) place(cutter, parcel);
}

void TwoShotOnDevice::encode() {
  cuda::BatchScope batch(group_.exec);
  for (const Parcel& parcel : outgoing_) {
    batch.begin_job();
    encode_gradients(parcel);
  }
  batch.close();
}

DeviceOperation::Left TwoShotOnDevice::exchange(std::uint32_t phase) {
  if (phase == 0) {
    swap_gradients();
  } else if (phase == 1) {
    check_gradients();
    average();
    encode_means();
    swap_means();
  } else {
    deliver();
  }
  return phase < 2 ? Left::more : Left::nothing;
}

void TwoShotOnDevice::swap_gradients() {
  for (std::uint32_t peer = 0; peer < group_.ranks(); ++peer) {
    if (peer == own()) continue;
    add_op(Op::Kind::send, peer, Hop::worker, outgoing_[peer]);
    add_op(Op::Kind::receive, peer, Hop::worker, incoming_[peer]);
  }
  post_ops();
}

void TwoShotOnDevice::encode_means() {
  cuda::BatchScope batch(group_.exec);
  delivered_[own()].for_each([&](std::size_t i, const Chunk& chunk, auto frame) {
    batch.begin_job();
    coder_.encode_mean_into(chunk, means_[i], frame);
  });
  batch.close();
}

void TwoShotOnDevice::swap_means() {
  for (std::uint32_t peer = 0; peer < group_.ranks(); ++peer) {
    if (peer == own()) continue;
    add_op(Op::Kind::send, peer, Hop::owner, delivered_[own()]);
    add_op(Op::Kind::receive, peer, Hop::owner, delivered_[peer]);
  }
  post_ops();
}

void TwoShotOnDevice::deliver() {
  cuda::BatchScope batch(group_.exec);
  for (const Parcel& parcel : delivered_)
    parcel.for_each([&](std::size_t, const Chunk& chunk, auto frame) {
      batch.begin_job();
      if (chunk.owner != own()) coder_.check_frame(chunk, chunk.owner, Hop::owner, frame);
      coder_.deliver_mean_from(chunk, frame);
    });
  batch.close();
}

class AllGatherReduceOnDevice final : public FramesOnDevice {
 public:
  AllGatherReduceOnDevice(Group& group, const BucketPlan& plan) : FramesOnDevice(group, plan, plan.chunks()) {}

 private:
  void place_encoded(RoomCutter& cutter) override { place(cutter, incoming_[own()]); }
  void place_exchanged(RoomCutter& cutter) override { place_sums(cutter); }
  void encode() override { encode_gradients(incoming_[own()]); }
  Left exchange(std::uint32_t phase) override;
};

DeviceOperation::Left AllGatherReduceOnDevice::exchange(std::uint32_t phase) {
  if (phase == 0) {
    for (std::uint32_t peer = 0; peer < group_.ranks(); ++peer) {
      if (peer == own()) continue;
      add_op(Op::Kind::send, peer, Hop::worker, incoming_[own()]);
      add_op(Op::Kind::receive, peer, Hop::worker, incoming_[peer]);
    }
    post_ops();
    return Left::more;
  }
  check_gradients();
  average();
  cuda::BatchScope batch(group_.exec);
  for (std::size_t i = 0; i < means_.size(); ++i) {
    batch.begin_job();
    coder_.deliver_values(summed_[i], means_[i]);
  }
  batch.close();
  return Left::nothing;
}

class DenseOnDevice final : public DeviceOperation {
 public:
  DenseOnDevice(Group& group, const BucketPlan& plan) : DeviceOperation(group, plan) {
    for (const Chunk& chunk : plan.chunks()) count_ += payload_count(chunk);
  }

 private:
  static std::size_t payload_count(const Chunk& chunk) {
    return (chunk.layout.max_frame_bytes() - kFrameHeaderBytes) / sizeof(float);
  }
  template <class Visit>
  void for_each_payload(Visit visit) {
    auto rest = payload_;
    cuda::BatchScope batch(group_.exec);
    for (const Chunk& chunk : plan_.chunks()) {
      batch.begin_job();
      visit(chunk, rest.first(payload_count(chunk)));
      rest = rest.subspan(payload_count(chunk));
    }
    batch.close();
  }

  void place_encoded(RoomCutter& cutter) override {
    payload_ = {reinterpret_cast<float*>(cutter.cut(count_ * sizeof(float)).data()), count_};
  }
  void place_exchanged(RoomCutter&) override {}
  void encode() override {
    for_each_payload([&](const Chunk& chunk, auto payload) { coder_.encode_payload_into(chunk, payload); });
  }
  Left exchange(std::uint32_t phase) override {
    if (phase == 0) {
      sum(payload_);
      return Left::more;
    }
    for_each_payload([&](const Chunk& chunk, auto payload) { coder_.deliver_payload_sum(chunk, payload); });
    return Left::nothing;
  }

  std::size_t count_ = 0;
  std::span<float> payload_;
};

template <class Exchange>
std::unique_ptr<BucketOperation> prepared(Group& group, const BucketPlan& plan) {
  auto exchange = std::make_unique<Exchange>(group, plan);
  exchange->take_rooms();
  return exchange;
}

}  // namespace

bool exchanges_on_device(const Group& group) {
  const Caps caps = group.transport.caps();
  return group.codes_on_device() && caps.device_memory && caps.stream_ordered;
}

bool sums_on_device(const Group& group) { return exchanges_on_device(group) && group.transport.caps().device_sums; }

std::unique_ptr<BucketOperation> two_shot_on_device(Group& group, const BucketPlan& plan) {
  return prepared<TwoShotOnDevice>(group, plan);
}

std::unique_ptr<BucketOperation> all_gather_reduce_on_device(Group& group, const BucketPlan& plan) {
  return prepared<AllGatherReduceOnDevice>(group, plan);
}

std::unique_ptr<BucketOperation> dense_on_device(Group& group, const BucketPlan& plan) {
  return prepared<DenseOnDevice>(group, plan);
}

}  // namespace tw
