#include "bench/table.hpp"

#include <algorithm>
#include <cstdio>

#include "kernels/base/check.hpp"

namespace tw {
namespace {

/// Characters, not bytes: a terminal's columns for the scripts that our tables hold.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string padded(const std::string& text, std::size_t width, bool right) {
  const std::string space(width - std::min(width, width_of(text)), ' ');
  return right ? space + text : text + space;
}

bool looks_numeric(const std::string& text) {
  return !text.empty() && (std::isdigit(static_cast<unsigned char>(text[0])) || text == "-" || text == "N/A" ||
                           ((text[0] == '-' || text[0] == '+') && text.size() > 1));
}

}  // namespace

void TextTable::add(std::vector<std::string> cells) {
  TW_CHECK(cells.size() <= header_.size(), UsageError, "a row of ", cells.size(), " cells in a table of ",
           header_.size(), " columns");
  cells.resize(header_.size());
  rows_.push_back(std::move(cells));
}

std::vector<std::size_t> TextTable::widths() const {
  std::vector<std::size_t> widths;
  for (std::size_t column = 0; column < header_.size(); ++column) {
    widths.push_back(width_of(header_[column]));
    for (const auto& row : rows_) widths.back() = std::max(widths.back(), width_of(row[column]));
  }
  return widths;
}

bool TextTable::numeric(std::size_t column) const {
  bool any = false;
  for (const auto& row : rows_) {
    if (row[column].empty()) continue;
    if (!looks_numeric(row[column])) return false;
    any = true;
  }
  return any;
}

std::string TextTable::aligned(const std::string& indent) const {
  const auto columns = widths();
  std::string text;
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string row = indent;
    for (std::size_t i = 0; i < cells.size(); ++i)
      row.append(i ? "  " : "").append(padded(cells[i], columns[i], numeric(i)));
    row.erase(row.find_last_not_of(' ') + 1);
    text += row + '\n';
  };
  line(header_);
  for (const auto& row : rows_) line(row);
  return text;
}

std::string TextTable::markdown() const {
  std::string text = "|";
  for (const auto& cell : header_) text.append(" ").append(cell).append(" |");
  text += "\n|";
  for (std::size_t i = 0; i < header_.size(); ++i) text += numeric(i) ? "---:|" : "---|";
  text += '\n';
  for (const auto& row : rows_) {
    text += '|';
    for (std::string cell : row) {
      for (std::size_t at = 0; (at = cell.find('|', at)) != std::string::npos; at += 2) cell.insert(at, 1, '\\');
      text.append(" ").append(cell).append(" |");
    }
    text += '\n';
  }
  return text;
}

std::string fixed(double value, int digits) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return buffer;
}

std::string decimal_bytes(double bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  int unit = 0;
  for (; bytes >= 1000 && unit < 4; ++unit) bytes /= 1000;
  return fixed(bytes, unit == 0 || bytes >= 100 ? 0 : bytes >= 10 ? 1 : 2) + " " + kUnits[unit];
}

}  // namespace tw
