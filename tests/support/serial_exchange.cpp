#include "tests/support/serial_exchange.hpp"

#include <cstring>

#include "collectives/algorithm.hpp"
#include "collectives/patterns.hpp"

namespace tw::test {

SerialExchange::SerialExchange(std::string algorithm, const GroupSpec& spec)
    : algorithm_(std::move(algorithm)), group_(spec), compressors_(spec.options.codec, spec.options.codec_for) {
  for (std::uint32_t rank = 0; rank < spec.ranks; ++rank) {
    Rank& own = *ranks_.emplace_back(std::make_unique<Rank>());
    for (const Param& param : group_.params) {
      const Compressor& compressor = compressors_.for_param(param);
      if (param.count() == 0) continue;
      compressor.declare_slots(own.state, param, Hop::worker, 0, param.count());
      if (algorithm_ != "two_shot") continue;
      for (const Shard& shard : shards_of(param))
        if (shard.owner == rank && shard.count != 0)
          compressor.declare_slots(own.state, param, Hop::owner, shard.first, shard.count);
    }
  }
}

std::vector<SerialExchange::Shard> SerialExchange::shards_of(const Param& param) const {
  const std::uint32_t owners = find_algorithm(algorithm_).owners(group_.ranks);
  const std::uint64_t granule = compressors_.for_param(param).codec().traits(param).granule;
  std::vector<Shard> shards;
  for (std::uint32_t s = 0; s < owners; ++s) {
    const Range range = shard_range(param.count(), granule, owners, s);
    shards.push_back({&param, range.first, range.count, owner_of_shard(param.id, s, owners)});
  }
  return shards;
}

std::vector<std::byte> SerialExchange::encode(const Shard& shard, std::uint32_t rank, Hop hop,
                                              std::vector<float> values) {
  const Compressor& compressor = compressors_.for_param(*shard.param);
  Exec exec;
  exec.backend = Backend::reference;
  exec.arena = &ranks_[rank]->arena;
  std::vector<std::byte> body(compressor.codec().max_bytes({shard.param, shard.first, shard.count}));
  const EncodeJob job{{shard.param, shard.first, values}, body};
  std::uint32_t bytes = 0;
  compressor.encode({exec, {group_.options.seed, step_.step, rank, hop}, step_, &ranks_[rank]->state}, {&job, 1},
                    {&bytes, 1});
  body.resize(bytes);
  return body;
}

std::vector<float> SerialExchange::decode(const Shard& shard, std::uint32_t rank, Hop hop,
                                          std::span<const std::byte> body) {
  Exec exec;
  exec.backend = Backend::reference;
  exec.arena = &ranks_[rank]->arena;
  std::vector<float> values(shard.count);
  const DecodeJob job{body, {shard.param, shard.first, values}};
  compressors_.for_param(*shard.param)
      .decode({exec, {group_.options.seed, step_.step, rank, hop}, step_, &ranks_[rank]->state}, {&job, 1},
              Combine::assign, 1.0f);
  return values;
}

// Payloads are summed as arrays of floats, beginning with the rank after the owner and ending with the owner.
std::vector<float> SerialExchange::mean_by_ring(const Shard& shard, const std::vector<std::vector<std::byte>>& bodies) {
  std::vector<float> sum(bodies.front().size() / sizeof(float)), addend(sum.size());
  for (std::uint32_t turn = 1; turn <= group_.ranks; ++turn) {
    const auto& body = bodies[(shard.owner + turn) % group_.ranks];
    std::memcpy(addend.data(), body.data(), body.size());
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = turn == 1 ? addend[i] : sum[i] + addend[i];
  }
  for (float& value : sum) value /= static_cast<float>(group_.ranks);
  return decode(shard, shard.owner, Hop::worker, std::as_bytes(std::span(sum)));
}

std::vector<float> SerialExchange::mean_of(const Shard& shard, const std::vector<Tensors>& gradients) {
  std::vector<std::vector<std::byte>> bodies;
  for (std::uint32_t rank = 0; rank < group_.ranks; ++rank) {
    const Tensor& tensor = gradients[rank][shard.param->id];
    std::vector<float> values(shard.count);
    for (std::uint64_t i = 0; i < shard.count && !tensor.absent; ++i) values[i] = tensor.get(shard.first + i);
    bodies.push_back(encode(shard, rank, Hop::worker, values));
  }
  if (algorithm_ == "ring") return mean_by_ring(shard, bodies);
  std::vector<float> mean;
  for (std::uint32_t rank = 0; rank < group_.ranks; ++rank) {
    const auto addend = decode(shard, rank, Hop::worker, bodies[rank]);
    if (rank == 0) mean = addend;
    for (std::size_t i = 0; i < mean.size() && rank != 0; ++i) mean[i] += addend[i];
  }
  for (float& value : mean) value /= static_cast<float>(group_.ranks);
  if (algorithm_ == "all_gather_reduce") return mean;
  return decode(shard, shard.owner, Hop::owner, encode(shard, shard.owner, Hop::owner, mean));
}

Tensors SerialExchange::step(std::uint64_t step, const std::vector<Tensors>& gradients) {
  step_ = {step, 0.1, 1};
  Tensors means;
  for (const Param& param : group_.params) {
    Tensor& mean = means.emplace_back(param.dtype, param.count());
    for (const Shard& shard : shards_of(param)) {
      if (shard.count == 0) continue;
      const auto values = mean_of(shard, gradients);
      for (std::uint64_t i = 0; i < shard.count; ++i) mean.set(shard.first + i, values[i]);
    }
  }
  for (auto& rank : ranks_) rank->state.commit();
  return means;
}

std::vector<SavedSlot> SerialExchange::slots_of(std::uint32_t rank) {
  std::vector<SavedSlot> slots;
  ranks_[rank]->state.for_each([&](const State::Entry& entry) {
    slots.push_back({entry.param, entry.hop, entry.first, {entry.live.begin(), entry.live.end()}});
  });
  return slots;
}

}  // namespace tw::test
