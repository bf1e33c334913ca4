// Whether replicas are equal: one number for all parameters of a model, compared between ranks.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <tightwire/communicator.hpp>

#include "trainer/model.hpp"

namespace tw::trainer {

/// XXH3-64 over the parameters' own XXH3-64 hashes, in the order of registration.
std::uint64_t parameters_hash(Model& model);

/// Sixteen hexadecimal digits.
std::string hash_text(std::uint64_t hash);

/// The ranks whose hash is not that of more than half of them; all ranks where no hash has such a majority; none where
/// all are equal.
std::vector<std::uint32_t> disagreeing_ranks(std::span<const std::uint64_t> hashes);

/// Collective. Throws an Error on every rank that names the ranks whose parameters differ `when` ("after step 50").
void compare_hashes(Communicator& communicator, std::uint64_t hash, const std::string& when, Deadline deadline);

}  // namespace tw::trainer
