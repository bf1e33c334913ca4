// plan_buckets: groups parameters in the order in which backward finishes their gradients.
#include <tightwire/communicator.hpp>

#include "kernels/base/check.hpp"

namespace tw {

std::vector<BucketPieces> plan_buckets(std::span<const Param> params, std::uint64_t bytes) {
  TW_CHECK(bytes != 0, UsageError, "a bucket of 0 bytes; 4194304 is a usual choice");
  std::vector<BucketPieces> buckets;
  std::uint64_t filled = bytes;
  for (auto param = params.rbegin(); param != params.rend(); ++param) {
    const std::uint64_t added = param->count() * sizeof(float);
    if (buckets.empty() || filled + added > bytes) {
      buckets.emplace_back();
      filled = 0;
    }
    buckets.back().push_back({&*param, 0, {nullptr, param->dtype, param->count()}});
    filled += added;
  }
  return buckets;
}

}  // namespace tw
