// Which instruction set the SIMD ops run on. The best one of the processor is chosen at the first call; tests go
// through all of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tw {

/// Highway's name of the one in use: "AVX3", "AVX2", "SSE4", "NEON", ...
std::string simd_target();

/// All that were compiled and that this processor has, best first. The last may be "SCALAR": the references.
std::vector<std::string> simd_targets();

/// From now on, in the whole process, the named one of `simd_targets()`; empty: the best. For tests, while no op runs.
void use_simd_target(std::string_view name);

}  // namespace tw
