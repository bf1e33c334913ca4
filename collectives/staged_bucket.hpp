// For algorithms that code on the host only, where gradients lie on a device: a bucket goes to pinned memory as it is,
// is exchanged there, and the mean comes back.
#pragma once

#include <memory>

#include "collectives/algorithm.hpp"

namespace tw {

/// Wraps the operation of the plan's bucket. `group` has a device and outlives it.
std::unique_ptr<BucketOperation> staged_through_host(Group& group, const BucketPlan& plan,
                                                     std::unique_ptr<BucketOperation> operation);

}  // namespace tw
