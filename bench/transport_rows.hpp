// Which transports a spec names: its own and those inside it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "collectives/transports/table.hpp"

namespace tw {

/// Throws UsageError that lists the known ones where the spec names another.
std::vector<const TransportRow*> transport_rows(const std::string& spec);

bool names_transport(const std::vector<const TransportRow*>& rows, std::string_view name);
/// Whether one of them moves device memory itself.
bool moves_device_memory(const std::vector<const TransportRow*>& rows);

}  // namespace tw
