#include "collectives/nodelist.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "kernels/base/check.hpp"

namespace tw {

std::string first_host(const std::string& nodes) {
  std::string host;
  for (std::size_t at = 0; at < nodes.size() && nodes[at] != ','; ++at) {
    if (nodes[at] != '[') {
      host += nodes[at];
      continue;
    }
    const std::size_t end = std::min(nodes.find_first_of("-,]", at), nodes.size());
    const std::size_t close = nodes.find(']', at);
    TW_CHECK(close != std::string::npos && end > at + 1, UsageError, "'", nodes,
             "' is no list of nodes; like n[001-005],login");
    host.append(nodes, at + 1, end - at - 1);
    at = close;
  }
  TW_CHECK(!host.empty(), UsageError, "'", nodes, "' is no list of nodes; like n[001-005],login");
  return host;
}

std::uint32_t tasks_on_node(const std::string& tasks_per_node, std::uint32_t node) {
  const char* at = tasks_per_node.data();
  const char* const end = at + tasks_per_node.size();
  const auto read = [&](std::string_view before, std::string_view after) {
    std::uint32_t value = 0;
    if (!std::string_view(at, end).starts_with(before)) return std::uint32_t{0};
    const auto [rest, error] = std::from_chars(at + before.size(), end, value);
    if (error != std::errc() || !std::string_view(rest, end).starts_with(after)) return std::uint32_t{0};
    at = rest + after.size();
    return value;
  };
  for (std::uint32_t passed = 0; at != end;) {
    const std::uint32_t tasks = read("", "");
    const std::uint32_t nodes = std::string_view(at, end).starts_with("(") ? read("(x", ")") : 1;
    if (tasks == 0 || nodes == 0) break;
    passed += nodes;
    if (node < passed) return tasks;
    if (at != end && *at == ',') ++at;
  }
  TW_FAIL(UsageError, "'", tasks_per_node, "' says nothing of node ", node, "; a list of tasks a node is like 2(x3),1");
}

}  // namespace tw
