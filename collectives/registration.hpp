// What ranks agree on before they exchange anything: configuration, parameter table and bucket plan, as text that is
// compared between ranks. Also the checks of what a user registers.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include <tightwire/communicator.hpp>

#include "collectives/algorithm.hpp"
#include "collectives/plan.hpp"
#include "compress/compressor.hpp"

namespace tw {

/// Throws UsageError unless ids are 0, 1, 2, ..., names differ and dtypes are floating-point.
void check_params(std::span<const Param> params);

/// Throws UsageError that names the first parameter whose codec makes payloads that `algorithm` cannot carry, and why.
void check_legality(std::span<const Param> params, const CompressorTable& compressors, const Algorithm& algorithm);

/// Throws UsageError unless the buckets' pieces cover every parameter exactly once, cut only where the parameter's
/// codec allows it when it has `owners` owners. Returns them with `param` pointing into `params`.
std::vector<std::vector<PlannedPiece>> check_buckets(std::span<const Param> params,
                                                     std::span<const BucketPieces> buckets,
                                                     const CompressorTable& compressors, std::uint32_t owners);

/// Throws UsageError naming the first difference between `bucket` and what was registered for it, or a tensor that is
/// misaligned or does not lie where `place` works.
void check_handed_over(const Bucket& bucket, std::span<const PlannedPiece> planned, const Exec& place);

/// Throws UsageError where a plan does not fit into tags and frames.
void check_plan(const BucketPlan& plan);

/// One line a fact, so that a difference can be named.
std::string describe_configuration(const CommunicatorOptions& options, const CompressorTable& compressors);
std::string describe_params(std::span<const Param> params);
std::string describe_buckets(std::span<const BucketPlan> plans);

/// "'line of a' against 'line of b'" for the first line that differs; empty where the texts are equal.
std::string first_difference(const std::string& a, const std::string& b);

/// Everybody's blob of equal size, by rank.
using GatherBytes = std::function<std::vector<std::byte>(std::span<const std::byte>)>;

/// Compares `text` with all ranks: hashes first, texts only where they differ. Throws UsageError naming the first
/// difference and the ranks.
void agree(const std::string& text, const GatherBytes& gather);

}  // namespace tw
