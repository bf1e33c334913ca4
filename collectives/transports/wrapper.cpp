#include "collectives/transports/wrapper.hpp"

#include <algorithm>

#include "kernels/base/check.hpp"

namespace tw {

Caps host_caps(Caps caps) {
  caps.stream_ordered = caps.device_memory = caps.device_tags = caps.device_sizes = caps.device_sums = false;
  return caps;
}

bool DeferredGroup::done() const {
  return std::all_of(ops.begin(), ops.end(), [](const auto& op) { return op->done(); });
}

TransportPtr connect_inner(Bootstrap& bootstrap, SpecTerm& term, const ConnectOptions& options) {
  const auto inner = std::find_if(term.arguments.begin(), term.arguments.end(),
                                  [](const auto& argument) { return argument.key == "inner"; });
  TW_CHECK(inner != term.arguments.end(), UsageError, "transport '", term.name,
           "' goes round another one: say which, as in ", term.name, ":inner=(loopback)");
  ConnectOptions inner_options = options;
  inner_options.transport = inner->value;
  term.arguments.erase(inner);
  return connect_over(bootstrap, inner_options);
}

}  // namespace tw
