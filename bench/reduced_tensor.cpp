#include "bench/reduced_tensor.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/base/philox.hpp"

namespace tw {
namespace {

constexpr std::uint32_t kSeed = 20240521;

/// Sum of eight 16-bit numbers, centred: 19 bits with its sign, so that sums of 64 ranks fit the 24 bits of an f32.
int bell(const PhiloxCounter& words) {
  int sum = -4 * 65535;
  for (const std::uint32_t word : words) sum += static_cast<int>((word & 0xffff) + (word >> 16));
  return sum;
}

/// Bits to drop of each number so that sums of `ranks` stay exact.
int spare_bits(std::uint32_t ranks) { return std::max(0, static_cast<int>(std::bit_width(ranks - 1)) - 6); }

/// Grid steps: rank's contribution at element i.
int grid_value(std::uint32_t rank, std::uint32_t ranks, std::uint64_t i) {
  return bell(philox4x32({static_cast<std::uint32_t>(i), rank, 0, 0}, {kSeed, 0})) >> spare_bits(ranks);
}
float grid_step(std::uint32_t ranks) { return std::ldexp(1.0f, spare_bits(ranks) - 16); }

Comparison compare(std::span<const float> got, std::span<const float> exact) {
  double error = 0, norm = 0;
  Comparison comparison;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double expected = exact[i % exact.size()];
    error += (got[i] - expected) * (got[i] - expected);
    norm += expected * expected;
    comparison.wrong += got[i] == exact[i % exact.size()] ? 0 : 1;
  }
  comparison.relative_error = norm > 0 ? std::sqrt(error / norm) : std::sqrt(error);
  return comparison;
}

}  // namespace

std::vector<float> contribution(std::uint32_t rank, std::uint32_t ranks, std::uint64_t count) {
  std::vector<float> values(count);
  for (std::uint64_t i = 0; i < count; ++i)
    values[i] = static_cast<float>(grid_value(rank, ranks, i % kPeriod)) * grid_step(ranks);
  return values;
}

std::vector<float> exact_mean(std::uint32_t ranks, std::uint64_t count) {
  std::vector<float> mean(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    int sum = 0;
    for (std::uint32_t rank = 0; rank < ranks; ++rank) sum += grid_value(rank, ranks, i % kPeriod);
    mean[i] = static_cast<float>(sum) * grid_step(ranks) / static_cast<float>(ranks);
  }
  return mean;
}

ReducedTensor::ReducedTensor(const Exec& exec, Member member, std::uint64_t count)
    : exec_(exec),
      block_(allocate_block(memory_of(residence_of(exec), exec.device), count * sizeof(float))),
      values_(reinterpret_cast<float*>(block_.get()), count),
      own_(contribution(member.rank, member.ranks, std::min(count, kPeriod))),
      exact_(exact_mean(member.ranks, std::min(count, kPeriod))) {}

void ReducedTensor::fill() {
  for (std::size_t i = 0; i < values_.size(); i += own_.size()) {
    const std::size_t some = std::min(own_.size(), values_.size() - i);
    copy<float>(exec_, std::span(own_).first(some), values_.subspan(i, some));
  }
  synchronize(exec_);
}

Comparison ReducedTensor::compare() {
  if (residence_of(exec_) == Residence::host) return tw::compare(values_, exact_);
  copied_.resize(values_.size());
  copy<float>(exec_, values_, copied_);
  synchronize(exec_);
  return tw::compare(copied_, exact_);
}

}  // namespace tw
