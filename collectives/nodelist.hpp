// Slurm's compressed lists: hosts as `n[001-005,9],login`, tasks by node as `2(x3),1`.
#pragma once

#include <cstdint>
#include <string>

namespace tw {

/// The first host of a node list. Throws UsageError for what is no such list.
std::string first_host(const std::string& nodes);
/// How many tasks run on the node of this index. Throws UsageError for what is no such list.
std::uint32_t tasks_on_node(const std::string& tasks_per_node, std::uint32_t node);

}  // namespace tw
