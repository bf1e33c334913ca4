// All-reduces whose messages go from device memory to device memory in the order of a stream (Caps::stream_ordered):
// the whole of a bucket is enqueued at once and the host waits for nothing but its end.
//
//   two-shot  one group of messages a hop: each owner's frames go to it together, and its mean comes back together
//   dense     linear payloads, summed by the transport itself (Caps::device_sums)
//
// Frames are those of the other operations, sealed and checked on the device; what was found wrong with somebody's ends
// the operation with a WireError.
#pragma once

#include <memory>

#include "collectives/algorithm.hpp"

namespace tw {

/// `group` codes on a device, and its transport takes messages there; both outlive the operation, as the plan does.
std::unique_ptr<BucketOperation> two_shot_on_device(Group& group, const BucketPlan& plan);
std::unique_ptr<BucketOperation> dense_on_device(Group& group, const BucketPlan& plan);

/// Whether they can be used.
bool exchanges_on_device(const Group& group);
bool sums_on_device(const Group& group);

}  // namespace tw
