#include "collectives/device_exchange.hpp"

#include <vector>

#include "collectives/device_operation.hpp"
#include "collectives/tag.hpp"
#include "kernels/cuda/batch.hpp"
#include "kernels/reduce.hpp"

namespace tw {
namespace {

/// Frames of several chunks, one after another, in a buffer on the device.
struct Parcel {
  std::span<const Chunk> chunks;
  Buffer buffer = {};

  std::size_t bytes() const {
    std::size_t sum = 0;
    for (const Chunk& chunk : chunks) sum += chunk.layout.max_frame_bytes();
    return sum;
  }
  /// Calls visit(number of the chunk in the parcel, chunk, its frame).
  template <class Visit>
  void for_each(Visit visit) {
    auto rest = buffer.bytes();
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
  }

  std::uint32_t own() const { return group_.rank(); }
  void take_room(Parcel& parcel) { parcel.buffer = group_.coding_buffer(parcel.bytes(), kFrameHeaderBytes); }
  void take_rooms_of_means() {
    for (const Chunk& chunk : summed_) means_.push_back(group_.coding_buffer(chunk.count() * sizeof(float)));
  }

  void encode_gradients(Parcel& parcel);
  /// Adds a message to or from `peer`, if there is anything in it.
  void add_op(Op::Kind kind, std::uint32_t peer, Hop hop, Parcel& parcel);
  void post_ops() {
    post(ops_);
    ops_.clear();
  }
  void check_gradients();
  /// The means of what others sent and of this rank's own part, which is where it was encoded.
  void average();
  void release_sums() {
    for (Parcel& parcel : incoming_) parcel.buffer.release();
    means_.clear();
  }

  const std::span<const Chunk> summed_;
  std::vector<Parcel> incoming_;  // by source, of what this rank sums
  std::vector<Buffer> means_;     // of those chunks

 private:
  std::vector<Op> ops_;
};

void FramesOnDevice::encode_gradients(Parcel& parcel) {
  cuda::BatchScope batch(group_.exec);
  parcel.for_each([&](std::size_t, const Chunk& chunk, auto frame) {
    batch.begin_job();
    coder_.encode_gradient_into(chunk, frame);
  });
  batch.close();
}

void FramesOnDevice::add_op(Op::Kind kind, std::uint32_t peer, Hop hop, Parcel& parcel) {
  const Tag tag = frame_tag(group_.step.step, plan_.bucket(), 0, hop);
  if (parcel.bytes() != 0) ops_.push_back({kind, peer, tag, parcel.buffer.bytes(), Space::device});
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

// In rank order.
void FramesOnDevice::average() {
  for (std::uint32_t source = 0; source < group_.ranks(); ++source) {
    cuda::BatchScope batch(group_.exec);
    incoming_[source].for_each([&](std::size_t i, const Chunk& chunk, auto frame) {
      batch.begin_job();
      coder_.decode_gradient_from(chunk, source, frame, source == 0 ? Combine::assign : Combine::add,
                                  means_[i].floats());
    });
    batch.close();
  }
  cuda::BatchScope batch(group_.exec);
  for (Buffer& mean : means_) {
    batch.begin_job();
    divide(group_.exec, mean.floats(), static_cast<float>(group_.ranks()));
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
  void take_rooms() override;
  void encode() override;
  Left exchange(std::uint32_t phase) override;
  void release() override;
  void swap_gradients();
  void swap_means();
  void encode_means();
  void deliver();

  std::vector<Parcel> outgoing_;   // by owner
  std::vector<Parcel> delivered_;  // by owner: means
};

// What this rank sends itself stays where it was encoded.
void TwoShotOnDevice::take_rooms() {
  for (auto* parcels : {&outgoing_, &incoming_, &delivered_})
    for (Parcel& parcel : *parcels)
      if (&parcel != &incoming_[own()]) take_room(parcel);
  take_rooms_of_means();
}

void TwoShotOnDevice::encode() {
  cuda::BatchScope batch(group_.exec);
  for (Parcel& parcel : outgoing_) {
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
  incoming_[own()].buffer = std::move(outgoing_[own()].buffer);
  post_ops();
}

void TwoShotOnDevice::encode_means() {
  cuda::BatchScope batch(group_.exec);
  delivered_[own()].for_each([&](std::size_t i, const Chunk& chunk, auto frame) {
    batch.begin_job();
    coder_.encode_mean_into(chunk, means_[i].floats(), frame);
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
  for (Parcel& parcel : delivered_)
    parcel.for_each([&](std::size_t, const Chunk& chunk, auto frame) {
      batch.begin_job();
      if (chunk.owner != own()) coder_.check_frame(chunk, chunk.owner, Hop::owner, frame);
      coder_.deliver_mean_from(chunk, frame);
    });
  batch.close();
}

void TwoShotOnDevice::release() {
  release_sums();
  for (auto* parcels : {&outgoing_, &delivered_})
    for (Parcel& parcel : *parcels) parcel.buffer.release();
}

class AllGatherReduceOnDevice final : public FramesOnDevice {
 public:
  AllGatherReduceOnDevice(Group& group, const BucketPlan& plan) : FramesOnDevice(group, plan, plan.chunks()) {}

 private:
  void take_rooms() override {
    for (Parcel& parcel : incoming_) take_room(parcel);
    take_rooms_of_means();
  }
  void encode() override { encode_gradients(incoming_[own()]); }
  Left exchange(std::uint32_t phase) override;
  void release() override { release_sums(); }
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
    coder_.deliver_values(summed_[i], means_[i].floats());
  }
  batch.close();
  return Left::nothing;
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
    cuda::BatchScope batch(group_.exec);
    for (const Chunk& chunk : plan_.chunks()) {
      const std::size_t count = payload_bytes(chunk) / sizeof(float);
      batch.begin_job();
      visit(chunk, rest.first(count));
      rest = rest.subspan(count);
    }
    batch.close();
  }

  void take_rooms() override { payload_ = group_.coding_buffer(bytes_); }
  void encode() override {
    for_each_payload([&](const Chunk& chunk, auto payload) { coder_.encode_payload_into(chunk, payload); });
  }
  Left exchange(std::uint32_t phase) override {
    if (phase == 0) {
      sum(payload_.floats());
      return Left::more;
    }
    for_each_payload([&](const Chunk& chunk, auto payload) { coder_.deliver_payload_sum(chunk, payload); });
    return Left::nothing;
  }
  void release() override { payload_.release(); }

  std::size_t bytes_ = 0;
  Buffer payload_;
};

template <class Exchange>
std::unique_ptr<BucketOperation> prepared(Group& group, const BucketPlan& plan) {
  auto exchange = std::make_unique<Exchange>(group, plan);
  exchange->take_rooms_ahead();
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
