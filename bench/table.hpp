// Tables for people: aligned columns for terminals, Markdown for pages.
#pragma once

#include <string>
#include <vector>

namespace tw {

/// Rows of cells under a header. Cells that look like numbers are right-aligned with their column.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header) : header_(std::move(header)) {}
  /// Missing cells are empty; surplus ones are refused (UsageError).
  void add(std::vector<std::string> cells);
  const std::vector<std::vector<std::string>>& rows() const { return rows_; }
  const std::vector<std::string>& header() const { return header_; }

  /// Whether every cell of a column that holds something looks like a number.
  bool numeric(std::size_t column) const;

  std::string aligned(const std::string& indent = "") const;
  std::string markdown() const;

 private:
  std::vector<std::size_t> widths() const;

  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
};

/// `value` with `digits` after the point.
std::string fixed(double value, int digits);
/// "5.84 MB", "1.2 GB": powers of 1000, three significant digits.
std::string decimal_bytes(double bytes);

}  // namespace tw
