// The two kinds of plot that reports need: horizontal bars, and curves over sizes on a log axis.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace tw::report {

/// Horizontal bars, one row a label, each of one or more segments end to end.
struct BarChart {
  std::string title;
  std::vector<std::string> segments;  ///< their names, for the legend; one needs none
  struct Row {
    std::string label;
    std::vector<double> values;  ///< one a segment
    std::string text;            ///< written behind the bar
  };
  std::vector<Row> rows;
  std::string unit;
  struct Mark {
    double at;
    std::string text;
  };
  std::optional<Mark> mark;  ///< a line across all rows
};
std::string draw(const BarChart& chart);

/// Dots on a line a row; the axis need not start at zero.
struct DotChart {
  std::string title, unit;
  struct Row {
    std::string label;
    double value;
    std::string text;
  };
  std::vector<Row> rows;
};
std::string draw(const DotChart& chart);

/// Curves over sizes in bytes, which the axis shows on a log scale.
struct CurveChart {
  std::string title, unit;
  struct Series {
    std::string name;
    struct Sample {
      double bytes, value;
      std::string hint;
    };
    std::vector<Sample> samples;  ///< by size
  };
  std::vector<Series> series;
  std::optional<BarChart::Mark> mark;  ///< a line across: what the link can do
};
std::string draw(const CurveChart& chart);

}  // namespace tw::report
