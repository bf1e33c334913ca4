// Sizes as people write them, powers of 1024 as in nccl-tests and UCX.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tw {

/// "4096", "64K", "64KiB", "4M", "1G" (either case). Throws UsageError that shows what is accepted.
std::uint64_t parse_bytes(std::string_view text);

/// Short text of the same form: "64K", "1.5M", "100".
std::string short_bytes(double bytes);

}  // namespace tw
