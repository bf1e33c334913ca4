#include "tests/support/exchange_cost.hpp"

#include "collectives/registration.hpp"

namespace tw::test {

void for_each_plan(const GroupSpec& spec, const std::function<void(const BucketPlan&)>& visit) {
  const CompressorTable compressors(spec.options.codec, {});
  const std::uint32_t owners = find_algorithm(spec.options.algorithm).owners(spec.ranks);
  const auto buckets = plan_buckets(spec.params, spec.bucket_bytes);
  const auto planned = check_buckets(spec.params, buckets, compressors, owners);
  for (std::size_t b = 0; b < planned.size(); ++b)
    visit(BucketPlan(static_cast<std::uint32_t>(b), planned[b], compressors, {owners, spec.options.chunk_bytes}));
}

Cost cost_by_formula(const GroupSpec& spec, std::uint32_t rank, Route route) {
  Cost total;
  for_each_plan(spec, [&](const BucketPlan& plan) {
    const Cost cost = find_algorithm(spec.options.algorithm).cost(plan, spec.ranks, rank, route);
    total.sent_bytes += cost.sent_bytes;
    total.messages += cost.messages;
    total.steps += cost.steps;
  });
  return total;
}

}  // namespace tw::test
