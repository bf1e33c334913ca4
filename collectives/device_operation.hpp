// The all-reduce of a bucket whose messages go from device memory to device memory in the order of a stream
// (Caps::stream_ordered): what comes between two groups of messages is enqueued at once, when the first is done. Frames
// are those of the other operations, sealed and checked by kernels; what these found ends the operation with a
// WireError.
//
//   coding stream   encode         | check, sum |        | check, deliver
//   moving stream         messages |            messages |
//
// Groups of messages match in the order in which they are posted, and buckets may be handed over in another: so they
// are posted in the order of bucket ids. Encoding waits for no turn.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "collectives/algorithm.hpp"
#include "collectives/chunk_coder.hpp"
#include "collectives/device_rooms.hpp"

namespace tw {

class DeviceOperation : public BucketOperation {
 public:
  void start(std::span<const Piece> pieces) final;
  Progress advance() final;
  bool gradient_consumed() const final { return consumed_; }
  Wait waiting_for() const final;
  const cuda::Event* result() const final { return stage_ == Stage::enqueued ? &result_ : nullptr; }

  /// Once, at preparation: so that no step allocates, which might have to wait for others' messages.
  void take_rooms();

 protected:
  DeviceOperation(Group& group, const BucketPlan& plan)
      : group_(group), plan_(plan), coder_(group, plan), result_(group.exec.device) {}

  /// Cuts the rooms that `encode` writes, which are this bucket's own, and those that only `exchange` uses. The latter
  /// are cut anew each time: all buckets share their memory, since one exchanges at a time. All that a bucket's last
  /// call of `exchange` enqueued is work on the coding stream, and behind it comes what the next bucket's calls
  /// enqueue, messages included; its own messages were done before that call.
  virtual void place_encoded(RoomCutter& cutter) = 0;
  virtual void place_exchanged(RoomCutter& cutter) = 0;
  /// Enqueues the encoding of this rank's gradients.
  virtual void encode() = 0;
  /// Enqueues what comes next, ending with a call of `post` or `sum`, or with the end.
  enum class Left : std::uint8_t { more, nothing };
  virtual Left exchange(std::uint32_t phase) = 0;

  /// The next phase comes once the messages are done, if there are any; a rank alone sums nothing.
  void post(std::span<const Op> ops);
  void sum(std::span<float> payload);

  Group& group_;
  const BucketPlan& plan_;
  ChunkCoder coder_;

 private:
  void rehearse();
  void share_room();
  bool enqueue_more();
  bool is_done();

  enum class Stage : std::uint8_t { bound, encoded, enqueued };
  Stage stage_ = Stage::enqueued;
  bool rehearsing_ = false;
  bool consumed_ = false;
  std::uint32_t phase_ = 0;
  std::vector<Request> requests_;
  Group::Mark encoded_ = 0, done_ = 0;
  cuda::Event result_;
};

}  // namespace tw
