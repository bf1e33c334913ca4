// The ops on a device, under Google Benchmark.
#pragma once

#include <string>

namespace tw {

/// Registers OP/cuda/COUNT for every op with a CUDA version from 64 KiB to 1 GiB of f32, as memory allows, and
/// bucket/CODEC/HOW. Measures the device's bandwidth, which all are compared with, and writes it into the context.
/// Where there is no device, says so on stderr and registers nothing.
void register_device_benchmarks();

}  // namespace tw
