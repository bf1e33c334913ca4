// All-reduces whose messages go from device memory to device memory in the order of a stream (Caps::stream_ordered).
//
//   two-shot           one group of messages a hop: each owner's frames go to it together, its mean comes back together
//   all-gather-reduce  one group of messages: everybody's frames go to everybody
//   dense              linear payloads, summed by the transport itself (Caps::device_sums)
#pragma once

#include <memory>

#include "collectives/algorithm.hpp"

namespace tw {

/// `group` codes on a device, and its transport takes messages there; both outlive the operation, as the plan does.
std::unique_ptr<BucketOperation> two_shot_on_device(Group& group, const BucketPlan& plan);
std::unique_ptr<BucketOperation> all_gather_reduce_on_device(Group& group, const BucketPlan& plan);
std::unique_ptr<BucketOperation> dense_on_device(Group& group, const BucketPlan& plan);

/// Whether they can be used.
bool exchanges_on_device(const Group& group);
bool sums_on_device(const Group& group);

}  // namespace tw
