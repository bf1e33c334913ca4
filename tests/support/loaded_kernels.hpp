// Which kernels a program has loaded before it launched them. Linking it replaces cudaFuncGetAttributes and
// cudaLaunchKernelExC for the program's own code.
#pragma once

#include <cstddef>

namespace tw::test {

/// Launches of kernels, and those of kernels that were not loaded. Since the program began, on any device; thread safe.
std::size_t kernel_launches();
std::size_t launches_that_load();

}  // namespace tw::test
