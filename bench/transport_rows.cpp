#include "bench/transport_rows.hpp"

#include <algorithm>

#include "compress/spec.hpp"
#include "kernels/base/check.hpp"

namespace tw {
namespace {

const TransportRow& row_of(const std::string& name) {
  std::string known;
  for (const TransportRow& row : transport_table()) {
    if (row.name == name) return row;
    known.append(known.empty() ? "" : ", ").append(row.name);
  }
  TW_FAIL(UsageError, "unknown transport '", name, "'; known: ", known);
}

}  // namespace

std::vector<const TransportRow*> transport_rows(const std::string& spec) {
  std::vector<const TransportRow*> rows;
  for (const SpecTerm& term : parse_spec(spec)) {
    rows.push_back(&row_of(term.name));
    for (const auto& argument : term.arguments) {
      if (!argument.nested) continue;
      const auto inside = transport_rows(argument.value);
      rows.insert(rows.end(), inside.begin(), inside.end());
    }
  }
  return rows;
}

bool names_transport(const std::vector<const TransportRow*>& rows, std::string_view name) {
  return std::any_of(rows.begin(), rows.end(), [&](const TransportRow* row) { return row->name == name; });
}

bool moves_device_memory(const std::vector<const TransportRow*>& rows) {
  return std::any_of(rows.begin(), rows.end(), [](const TransportRow* row) { return row->moves_device_memory; });
}

}  // namespace tw
