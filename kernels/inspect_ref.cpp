#include "kernels/inspect.hpp"

#include "kernels/reference.hpp"

namespace tw::reference {

void inspect(const Exec& exec, std::span<const float> values) {
  if (largest_magnitude(values) >= kInfinityBits) report(exec, kStatusNonFinite);
}

}  // namespace tw::reference
