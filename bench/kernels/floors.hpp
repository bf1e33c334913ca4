// What the ops must at least move, which counts (traffic.cpp) and times (device_ops.cpp) are compared with, and the
// bucket that they are also run on.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace tw {

/// A row: bytes an element that must move, and why the op's counts may miss an aim (bench/kernels/traffic).
struct Floor {
  std::string_view op;
  double bytes;
  std::string_view exception;
};

/// Every op that has a CUDA version; those on the tensors of a bucket end in "/bucket".
std::span<const Floor> floors();
/// Null where there is none.
const Floor* find_floor(std::string_view op);

/// Elements of the tensors in a bucket as models have them: six a layer, most of them small; ten layers are 26 MiB.
std::vector<std::uint64_t> bucket_tensors(std::uint64_t layers = 10);

}  // namespace tw
