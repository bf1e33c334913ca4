#include "trainer/sampler.hpp"

#include <limits>
#include <numeric>
#include <utility>

#include "kernels/base/check.hpp"
#include "kernels/base/philox.hpp"

namespace tw::trainer {
namespace {

// floor(word * bound / 2^64) in 32-bit parts, which every compiler has; bound < 2^32.
std::uint64_t scaled(std::uint64_t word, std::uint64_t bound) {
  const std::uint64_t low = (word & 0xffffffffu) * bound, high = (word >> 32) * bound;
  return (high + (low >> 32)) >> 32;
}

}  // namespace

std::vector<std::uint32_t> shuffled(std::uint64_t samples, std::uint64_t seed, std::uint64_t epoch) {
  const PhiloxKey key{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
  std::vector<std::uint32_t> order(samples);
  std::iota(order.begin(), order.end(), 0u);
  for (std::uint64_t i = samples; i-- > 1;) {
    const PhiloxCounter words =
        philox4x32({static_cast<std::uint32_t>(i), 0, static_cast<std::uint32_t>(epoch), 'S'}, key);
    std::swap(order[i], order[scaled(std::uint64_t{words[1]} << 32 | words[0], i + 1)]);
  }
  return order;
}

Sampler::Sampler(const Shape& shape, std::uint64_t seed) : shape_(shape), seed_(seed), indices_(shape.per_rank) {
  TW_CHECK(shape.samples != 0 && shape.samples <= std::numeric_limits<std::uint32_t>::max(), UsageError, shape.samples,
           " samples; from 1 to 4294967295 can be sampled");
  TW_CHECK(shape.rank < shape.ranks && shape.per_rank != 0, UsageError, "rank ", shape.rank, " of ", shape.ranks,
           " cannot take ", shape.per_rank, " samples a step");
}

std::span<const std::uint32_t> Sampler::next() {
  permutations_.erase(permutations_.begin(), permutations_.lower_bound(epoch()));
  const std::uint64_t begin = position_ + shape_.rank * shape_.per_rank;
  for (std::uint64_t i = 0; i < shape_.per_rank; ++i)
    indices_[i] = permutation((begin + i) / shape_.samples)[(begin + i) % shape_.samples];
  position_ += shape_.ranks * shape_.per_rank;
  return indices_;
}

const std::vector<std::uint32_t>& Sampler::permutation(std::uint64_t epoch) {
  auto found = permutations_.find(epoch);
  if (found == permutations_.end()) found = permutations_.emplace(epoch, shuffled(shape_.samples, seed_, epoch)).first;
  return found->second;
}

}  // namespace tw::trainer
