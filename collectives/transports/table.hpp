// The table of transports, one row each: how ranks that can already exchange small blobs get connected.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include <tightwire/connect.hpp>

#include "collectives/bootstrap.hpp"
#include "compress/spec.hpp"

namespace tw {

struct TransportRow {
  std::string_view name;
  std::string_view summary;
  /// Empty where it can be used in this build and on this machine; otherwise what is missing and how to get it, which
  /// `connect` says too: a term may know of what is not found by itself.
  std::string (*unavailable)();
  /// Connects all ranks of `bootstrap`. `term` holds the row's own arguments. Collective.
  TransportPtr (*connect)(Bootstrap& bootstrap, const SpecTerm& term, const ConnectOptions& options);
  /// For people: how what lies on a device gets to another rank.
  std::string (*device_memory)();
  /// Whether it always takes device memory as it is (`Caps::device_memory`), by itself and not by what is inside.
  bool moves_device_memory = false;
};

std::span<const TransportRow> transport_table();

/// Connects by the transport that `options.transport` names. Throws UsageError that lists the known ones.
TransportPtr connect_over(Bootstrap& bootstrap, const ConnectOptions& options);

}  // namespace tw
