#include "bench/sizes.hpp"

#include <charconv>
#include <cstdio>
#include <optional>

#include "kernels/base/check.hpp"

namespace tw {
namespace {

std::optional<int> shift_of(std::string_view suffix) {
  if (suffix.empty()) return 0;
  if (suffix.size() > 3) return std::nullopt;
  const std::string_view tail = suffix.substr(1);
  if (tail != "" && tail != "B" && tail != "b" && tail != "iB" && tail != "ib") return std::nullopt;
  switch (suffix[0]) {
    case 'k':
    case 'K':
      return 10;
    case 'm':
    case 'M':
      return 20;
    case 'g':
    case 'G':
      return 30;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::uint64_t parse_bytes(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto shift = shift_of(text.substr(static_cast<std::size_t>(end - text.data())));
  TW_CHECK(error == std::errc() && shift && value <= (UINT64_MAX >> *shift), UsageError, "'", text,
           "' is not a number of bytes; write 4096, 64K, 4M or 1G");
  return value << *shift;
}

std::string short_bytes(double bytes) {
  constexpr const char* kUnits[] = {"", "K", "M", "G", "T"};
  int unit = 0;
  for (; bytes >= 1024 && unit < 4; ++unit) bytes /= 1024;
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.4g%s", bytes, kUnits[unit]);
  return buffer;
}

}  // namespace tw
