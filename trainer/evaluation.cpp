#include "trainer/evaluation.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

namespace tw::trainer {
namespace {

constexpr std::uint64_t kBatch = 256;

}  // namespace

Evaluation evaluate_share(Model& model, const Dataset& dataset, std::uint32_t rank, std::uint32_t ranks) {
  const std::uint64_t count = dataset.test.count();
  const std::uint64_t end = count * (rank + std::uint64_t{1}) / ranks;
  Batch batch;
  Evaluation share;
  std::vector<std::uint32_t> indices;
  for (std::uint64_t first = count * rank / ranks; first < end; first += kBatch) {
    indices.resize(std::min(kBatch, end - first));
    std::iota(indices.begin(), indices.end(), static_cast<std::uint32_t>(first));
    batch.fill(dataset, dataset.test, indices);
    share = share + model.evaluate(batch);
  }
  return share;
}

}  // namespace tw::trainer
