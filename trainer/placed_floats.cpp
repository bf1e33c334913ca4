#include "trainer/placed_floats.hpp"

namespace tw::trainer {

PlacedFloats::PlacedFloats(const Exec& exec, std::uint64_t count)
    : count_(count), block_(allocate_block(memory_of(residence_of(exec), exec.device), count * sizeof(float))) {
  fill_zero(exec, std::as_writable_bytes(span()));
}

std::span<const float> on_host(const Exec& exec, std::span<const float> values, std::vector<float>& staging) {
  if (residence_of(exec) == Residence::host) return values;
  staging.resize(values.size());
  copy<float>(exec, values, staging);
  synchronize(exec);
  return staging;
}

}  // namespace tw::trainer
