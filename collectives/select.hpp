// Which algorithm carries a communicator's buckets: the one that was named, or, for "auto", the legal one that costs
// least. One for all buckets, so that results do not depend on how parameters are grouped.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <tightwire/communicator.hpp>

#include "collectives/algorithm.hpp"

namespace tw {

/// What a choice depends on; the same on all ranks, so all choose alike.
struct SelectionInput {
  std::span<const Param> params;
  std::span<const BucketPieces> buckets;
  const CompressorTable& compressors;
  std::uint32_t ranks;
  std::uint64_t chunk_bytes;
};

/// Throws UsageError unless `name` is "auto" or in the table of algorithms (the known names are listed).
void check_algorithm_name(std::string_view name);

/// The named algorithm; UsageError that names a parameter it cannot carry, and why. "auto": of those that can carry all
/// parameters the one whose slowest rank takes least by COSTS.md's model; of equals the first in the table.
const Algorithm& select_algorithm(std::string_view name, const SelectionInput& input);

}  // namespace tw
