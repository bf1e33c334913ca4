#include "bench/all_reduce_output.hpp"

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "bench/table.hpp"

namespace tw {
namespace {

template <class... Values>
std::string format(const char* pattern, Values... values) {
  char buffer[512];
  std::snprintf(buffer, sizeof buffer, pattern, values...);
  return buffer;
}

std::string wrong_text(const AllReduceRow& row) { return row.lossless ? std::to_string(row.result.wrong) : "N/A"; }

/// A column: as wide as its heading; "-" for what nobody timed.
std::string timed_text(int width, int digits, double value) {
  return std::isnan(value) ? format("%*s", width, "-") : format("%*.*f", width, digits, value);
}

// What nobody timed is NaN, which JSON writes as null.
nlohmann::ordered_json row_json(const AllReduceRow& row) {
  const AllReduceResult& result = row.result;
  return {{"count", row.count},
          {"bytes", row.count * 4},
          {"type", "float"},
          {"redop", "avg"},
          {"algorithm", row.algorithm},
          {"transport", row.transport},
          {"codec", row.codec},
          {"time_us", result.seconds * 1e6},
          {"algbw_gbps", row.algbw()},
          {"busbw_gbps", row.busbw()},
          {"wrong", row.lossless ? nlohmann::ordered_json(result.wrong) : nlohmann::ordered_json(nullptr)},
          {"wire_bytes", result.wire_bytes},
          {"wire_bw_gbps", row.wire_bw()},
          {"ratio", row.ratio()},
          {"encode_us", result.encode_seconds * 1e6},
          {"comm_us", result.comm_seconds * 1e6},
          {"decode_us", result.decode_seconds * 1e6},
          {"relative_error", result.relative_error},
          {"timed", result.timed},
          {"ranks", row.ranks},
          {"time_us_median", result.median_seconds * 1e6},
          {"time_us_min", result.lowest_seconds * 1e6},
          {"time_us_max", result.highest_seconds * 1e6}};
}

}  // namespace

double AllReduceRow::ratio() const {
  return result.wire_bytes == 0 ? 0 : bytes() * bus_factor() / static_cast<double>(result.wire_bytes);
}

std::string all_reduce_heading(const nlohmann::ordered_json& context, const std::string& device) {
  const std::string where = device.empty() ? "" : ",\n# tensors on " + device;
  const std::string burst = context.contains("burst") ? ", burst " + context["burst"].get<std::string>() : "";
  return format(
             "# tightwire %s (%s), %u ranks, link %s%s, %s, %u cores, %u threads a rank%s\n"
             "# time: a whole step of the slowest rank, vote included; busbw = algbw * 2(n-1)/n, may pass the line\n"
             "# rate with compression; ratio: what an uncompressed ring sends / wire; GB = 1e9 bytes\n#\n",
             context["version"].get<std::string>().c_str(), context["revision"].get<std::string>().c_str(),
             context["ranks"].get<unsigned>(), context["link"].get<std::string>().c_str(), burst.c_str(),
             context["cpu"].get<std::string>().c_str(), context["cores"].get<unsigned>(),
             context["threads"].get<unsigned>(), where.c_str()) +
         format("#%11s %12s %6s %6s %10s %8s %8s %7s %12s %8s %7s %9s %10s %9s %9s  %s\n", "size", "count", "type",
                "redop", "time", "algbw", "busbw", "#wrong", "wire", "wirebw", "ratio", "encode", "comm", "decode",
                "error", "codec") +
         format("#%11s %12s %6s %6s %10s %8s %8s %7s %12s %8s %7s %9s %10s %9s %9s\n", "(B)", "(elements)", "", "",
                "(us)", "(GB/s)", "(GB/s)", "", "(B)", "(GB/s)", "", "(us)", "(us)", "(us)", "(rel L2)");
}

std::string all_reduce_line(const AllReduceRow& row) {
  const AllReduceResult& result = row.result;
  return format("%12llu %12llu %6s %6s %s %s %s %7s %12llu %s %7.2f %s %s %s %9.2e  %s\n",
                static_cast<unsigned long long>(row.count * 4), static_cast<unsigned long long>(row.count), "float",
                "avg", timed_text(10, 1, result.seconds * 1e6).c_str(), timed_text(8, 3, row.algbw()).c_str(),
                timed_text(8, 3, row.busbw()).c_str(), wrong_text(row).c_str(),
                static_cast<unsigned long long>(result.wire_bytes), timed_text(8, 3, row.wire_bw()).c_str(),
                row.ratio(), timed_text(9, 1, result.encode_seconds * 1e6).c_str(),
                timed_text(10, 1, result.comm_seconds * 1e6).c_str(),
                timed_text(9, 1, result.decode_seconds * 1e6).c_str(), result.relative_error, row.codec.c_str());
}

std::string all_reduce_footer(const std::vector<AllReduceRow>& rows) {
  std::uint64_t wrong = 0;
  double busbw = 0;
  for (const AllReduceRow& row : rows) {
    wrong += row.lossless ? row.result.wrong : 0;
    busbw += row.busbw() / static_cast<double>(rows.size());
  }
  const std::string average = std::isnan(busbw) ? "none: nothing was timed" : format("%.4g", busbw);
  return format("# Out of bounds values : %llu %s\n# Avg bus bandwidth    : %s\n",
                static_cast<unsigned long long>(wrong), wrong == 0 ? "OK" : "FAILED", average.c_str());
}

nlohmann::ordered_json all_reduce_json(const std::vector<AllReduceRow>& rows, const nlohmann::ordered_json& context) {
  nlohmann::ordered_json json{{"kind", "bench all_reduce"}, {"schema_version", kSchemaVersion}, {"context", context}};
  json["units"] = {{"gbps", "1e9 bytes a second"}, {"us", "microseconds"}};
  json["results"] = nlohmann::ordered_json::array();
  for (const AllReduceRow& row : rows) json["results"].push_back(row_json(row));
  return json;
}

}  // namespace tw
