// Which kernels a program has loaded before it launched them. Linking it replaces cudaFuncGetAttributes and
// cudaLaunchKernelExC for the program's own code.
#pragma once

#include <cstddef>

namespace tw::test {

/// Kernels that were loaded; launches of others. Since the program began, on any device; thread safe.
std::size_t kernels_loaded();
std::size_t launches_that_load();

}  // namespace tw::test
