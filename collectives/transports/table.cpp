#include "collectives/transports/table.hpp"

#include "collectives/transport.hpp"
#include "collectives/transports/counting.hpp"
#include "collectives/transports/faulty.hpp"
#include "collectives/transports/loopback.hpp"
#include "collectives/transports/nccl/nccl.hpp"
#include "collectives/transports/rate_limited.hpp"
#include "collectives/transports/tcp.hpp"
#include "collectives/transports/ucx/ucx.hpp"
#include "kernels/base/check.hpp"

namespace tw {

namespace {
std::string staged() { return "staged through pinned memory"; }
}  // namespace

std::span<const TransportRow> transport_table() {
  static constexpr TransportRow table[] = {
      {"loopback", "ranks are threads of one process", [] { return std::string(); }, connect_loopback, staged},
      {"counting", "counts what passes to inner=(...)", [] { return std::string(); }, connect_counting,
       [] { return std::string("as inner=(...)"); }},
      {"faulty", "harms what passes to inner=(...), by a seed", [] { return std::string(); }, connect_faulty, staged},
      {"rate_limited", "inner=(...) behind a link of gbit=...", [] { return std::string(); }, connect_rate_limited,
       staged},
      {"tcp", "one socket between every two ranks", [] { return std::string(); }, connect_tcp, staged},
      {"ucx", "shared memory inside a host, TCP or RDMA between hosts", ucx_unavailable, connect_ucx,
       ucx_device_memory},
      {"nccl", "device memory over NCCL, host memory over control=(tcp)", nccl_unavailable, connect_nccl,
       [] { return std::string("direct, in the order of a stream"); }, true},
  };
  return table;
}

TransportPtr connect_over(Bootstrap& bootstrap, const ConnectOptions& options) {
  const std::vector<SpecTerm> terms = parse_spec(options.transport);
  TW_CHECK(terms.size() == 1, UsageError, "transport '", options.transport, "' has more than one term");
  std::string known;
  for (const TransportRow& row : transport_table()) {
    if (row.name != terms.front().name) {
      known += (known.empty() ? "" : ", ") + std::string(row.name);
      continue;
    }
    return row.connect(bootstrap, terms.front(), options);
  }
  TW_FAIL(UsageError, "unknown transport '", terms.front().name, "'; known: ", known);
}

void TransportDeleter::operator()(Transport* transport) const { delete transport; }

}  // namespace tw
