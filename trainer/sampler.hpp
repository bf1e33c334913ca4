// Which samples a rank trains on. The samples of all epochs form one endless sequence: a fresh permutation of all of
// them for each epoch, one after another. A step takes the next `ranks * per_rank` of it, each rank its own run, so
// that every sample comes exactly once an epoch over all ranks, whatever the batch size; a step may straddle two
// epochs.
//
// A permutation is Fisher and Yates' with Philox words: key = the seed, counter = (i, 0, epoch, 'S'), and element i is
// swapped with floor(word64 * (i + 1) / 2^64).
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace tw::trainer {

/// A permutation of 0, ..., samples - 1 that depends on (samples, seed, epoch) alone.
std::vector<std::uint32_t> shuffled(std::uint64_t samples, std::uint64_t seed, std::uint64_t epoch);

class Sampler {
 public:
  struct Shape {
    std::uint64_t samples;  ///< of the training set; 1 to 2^32 - 1
    std::uint32_t rank;
    std::uint32_t ranks;
    std::uint64_t per_rank;  ///< samples a rank takes a step: batch times accumulation
  };
  Sampler(const Shape& shape, std::uint64_t seed);

  /// Indices of this rank's samples of the next step; valid until the next call.
  std::span<const std::uint32_t> next();

  /// Samples that all ranks have taken so far: what a checkpoint keeps.
  std::uint64_t position() const { return position_; }
  void seek(std::uint64_t position) { position_ = position; }
  /// The epoch that the next step begins in.
  std::uint64_t epoch() const { return position_ / shape_.samples; }

 private:
  const std::vector<std::uint32_t>& permutation(std::uint64_t epoch);

  const Shape shape_;
  const std::uint64_t seed_;
  std::uint64_t position_ = 0;
  std::map<std::uint64_t, std::vector<std::uint32_t>> permutations_;  // of the epochs in use
  std::vector<std::uint32_t> indices_;
};

}  // namespace tw::trainer
