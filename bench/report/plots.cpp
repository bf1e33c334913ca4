#include "bench/report/plots.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "bench/report/svg.hpp"
#include "bench/sizes.hpp"
#include "bench/table.hpp"

namespace tw::report {
namespace {

constexpr double kWidth = 560, kTexts = 76;  // kTexts: behind the bars
constexpr double kTop = 42, kRow = 30, kBar = 20, kAxis = 26, kLegend = 20;

/// A linear axis from `low` to `high` over pixels [begin, end].
struct Axis {
  double low, high, begin, end;
  double operator()(double value) const { return begin + (value - low) / (high - low) * (end - begin); }
};

/// Room for the labels of a chart's rows.
template <class Rows>
double label_width(const Rows& rows) {
  std::size_t longest = 18;
  for (const auto& row : rows) longest = std::max(longest, row.label.size());
  return std::min(280.0, 14 + 7.2 * static_cast<double>(longest));
}

std::string short_number(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.6g", value);
  return buffer;
}

/// Grid lines and their numbers below rows that end at `bottom`.
void draw_ticks(Svg& svg, const Axis& axis, double bottom, const std::string& unit) {
  const double step = tick_step(axis.high - axis.low, 5);
  for (double tick = std::ceil(axis.low / step - 1e-9) * step; tick <= axis.high + step * 1e-9; tick += step) {
    svg.line({axis(tick), kTop - 4}, {axis(tick), bottom}, "grid");
    svg.text({axis(tick), bottom + 16}, Anchor::middle, short_number(std::abs(tick) < step / 2 ? 0 : tick), "tick");
  }
  svg.text({kWidth - 4, bottom + 16}, Anchor::end, unit, "tick");
}

/// Names with their colours, wrapped into rows that begin at `left`.
class Legend {
 public:
  Legend(const std::vector<std::string>& names, double left) {
    double x = left;
    for (const std::string& name : names) {
      const double width = 34 + 7.2 * static_cast<double>(name.size());
      if (x > left && x + width > kWidth) x = left, ++rows_;
      entries_.push_back({name, x, rows_});
      x += width;
    }
    rows_ += names.empty() ? 0 : 1;
  }
  double height() const { return kLegend * rows_; }
  void draw(Svg& svg, double top) const {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      const double y = top + kLegend * entries_[i].row + 16;
      svg.box({entries_[i].x, y - 10}, {12, 12}, series_colour(i), entries_[i].name);
      svg.text({entries_[i].x + 17, y}, Anchor::start, entries_[i].name, "legend");
    }
  }

 private:
  struct Entry {
    std::string name;
    double x;
    int row;
  };
  std::vector<Entry> entries_;
  int rows_ = 0;
};

double sum_of(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

void draw_bar(Svg& svg, const BarChart& chart, const BarChart::Row& row, const Axis& axis, double y) {
  double at = 0;
  for (std::size_t i = 0; i < row.values.size(); ++i) {
    const std::string what = chart.segments.empty() ? row.label : row.label + ", " + chart.segments[i];
    svg.box({axis(at), y}, {axis(at + row.values[i]) - axis(at), kBar}, series_colour(i),
            what + ": " + short_number(row.values[i]) + " " + chart.unit);
    at += row.values[i];
  }
  svg.text({axis(at) + 6, y + kBar - 5}, Anchor::start, row.text, "value");
}

}  // namespace

std::string draw(const BarChart& chart) {
  double highest = chart.mark ? chart.mark->at : 0;
  for (const auto& row : chart.rows) highest = std::max(highest, sum_of(row.values));
  const double labels = label_width(chart.rows);
  const Axis axis{0, highest > 0 ? highest : 1, labels, kWidth - kTexts};
  const double bottom = kTop + kRow * static_cast<double>(chart.rows.size());
  const Legend legend(chart.segments, 0);
  Svg svg(kWidth, bottom + kAxis + legend.height(), chart.title);
  svg.text({0, 16}, Anchor::start, chart.title, "title");
  draw_ticks(svg, axis, bottom, chart.unit);
  for (std::size_t i = 0; i < chart.rows.size(); ++i) {
    const double y = kTop + kRow * static_cast<double>(i) + (kRow - kBar) / 2;
    svg.text({labels - 8, y + kBar - 5}, Anchor::end, chart.rows[i].label, "label");
    draw_bar(svg, chart, chart.rows[i], axis, y);
  }
  if (chart.mark) {
    svg.line({axis(chart.mark->at), kTop - 4}, {axis(chart.mark->at), bottom}, "mark");
    svg.text({axis(chart.mark->at), kTop - 7}, Anchor::middle, chart.mark->text, "tick");
  }
  legend.draw(svg, bottom + kAxis);
  return svg.str();
}

std::string draw(const DotChart& chart) {
  const auto by_value = [](const auto& a, const auto& b) { return a.value < b.value; };
  const auto [lowest, highest] = std::minmax_element(chart.rows.begin(), chart.rows.end(), by_value);
  const double spread = chart.rows.empty() ? 1 : std::max(1.0, highest->value - lowest->value);
  const double low = chart.rows.empty() ? 0 : std::floor(lowest->value - spread / 4);
  const double high = chart.rows.empty() ? 1 : std::ceil(highest->value + spread / 4);
  const double labels = label_width(chart.rows);
  const Axis axis{low, high, labels, kWidth - kTexts};
  const double bottom = kTop + kRow * static_cast<double>(chart.rows.size());
  Svg svg(kWidth, bottom + kAxis, chart.title);
  svg.text({0, 16}, Anchor::start, chart.title, "title");
  draw_ticks(svg, axis, bottom, chart.unit);
  for (std::size_t i = 0; i < chart.rows.size(); ++i) {
    const auto& row = chart.rows[i];
    const double y = kTop + kRow * (static_cast<double>(i) + 0.5);
    svg.text({labels - 8, y + 5}, Anchor::end, row.label, "label");
    svg.line({axis.begin, y}, {axis.end, y}, "grid");
    svg.dot({axis(row.value), y}, series_colour(0), row.label + ": " + row.text);
    svg.text({axis(row.value) + 9, y + 5}, Anchor::start, row.text, "value");
  }
  return svg.str();
}

namespace {

constexpr double kCurveBottom = 256, kLeft = 48, kRight = 24;

/// Sizes on a log axis, with a tick at every power of four that lies in the range.
struct SizeAxis {
  Axis axis;
  explicit SizeAxis(const CurveChart& chart) : axis{64, 0, kLeft, kWidth - kRight} {
    for (const auto& series : chart.series)
      for (const auto& sample : series.samples) {
        axis.low = std::min(axis.low, std::log2(sample.bytes));
        axis.high = std::max(axis.high, std::log2(sample.bytes));
      }
    if (axis.low >= axis.high) axis.low = axis.high - 1, axis.high += 1;  // one size, or none
  }
  double operator()(double bytes) const { return axis(std::log2(bytes)); }
  void draw(Svg& svg, double bottom) const {
    for (double power = 2 * std::ceil(axis.low / 2); power <= axis.high; power += 2) {
      svg.line({axis(power), bottom}, {axis(power), bottom + 4}, "grid");
      svg.text({axis(power), bottom + 17}, Anchor::middle, short_bytes(std::exp2(power)), "tick");
    }
    svg.text({kWidth - kRight, bottom + 34}, Anchor::end, "bytes, f32", "tick");
  }
};

void draw_scale(Svg& svg, const Axis& axis, const std::string& unit) {
  const double step = tick_step(axis.high, 5);
  for (double tick = 0; tick <= axis.high + step * 1e-9; tick += step) {
    svg.line({kLeft, axis(tick)}, {kWidth - kRight, axis(tick)}, "grid");
    svg.text({kLeft - 6, axis(tick) + 4}, Anchor::end, short_number(tick), "tick");
  }
  svg.text({kWidth - kRight, 16}, Anchor::end, unit, "tick");
}

}  // namespace

std::string draw(const CurveChart& chart) {
  double highest = chart.mark ? chart.mark->at : 0;
  for (const auto& series : chart.series)
    for (const auto& sample : series.samples) highest = std::max(highest, sample.value);
  std::vector<std::string> names;
  for (const auto& series : chart.series) names.push_back(series.name);
  const Legend legend(names, kLeft);
  const double bottom = kCurveBottom;
  const Axis axis{0, highest > 0 ? highest * 1.05 : 1, bottom, kTop};
  const SizeAxis sizes(chart);
  Svg svg(kWidth, bottom + 40 + legend.height(), chart.title);
  svg.text({0, 16}, Anchor::start, chart.title, "title");
  draw_scale(svg, axis, chart.unit);
  sizes.draw(svg, bottom);
  for (std::size_t i = 0; i < chart.series.size(); ++i) {
    std::vector<Point> points;
    for (const auto& sample : chart.series[i].samples) points.push_back({sizes(sample.bytes), axis(sample.value)});
    svg.curve(points, series_colour(i));
    for (std::size_t p = 0; p < points.size(); ++p)
      svg.dot(points[p], series_colour(i), chart.series[i].name + ", " + chart.series[i].samples[p].hint);
  }
  if (chart.mark) {
    svg.line({kLeft, axis(chart.mark->at)}, {kWidth - kRight, axis(chart.mark->at)}, "mark");
    svg.text({kLeft + 6, axis(chart.mark->at) - 5}, Anchor::start, chart.mark->text, "tick");
  }
  legend.draw(svg, bottom + 36);
  return svg.str();
}

}  // namespace tw::report
