#include "bench/report/svg.hpp"

#include <cmath>
#include <cstdio>

namespace tw::report {
namespace {

/// Coordinates to a tenth of a pixel.
std::string number(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.1f", value);
  return buffer;
}

std::string attribute(const char* name, double value) { return std::string(" ") + name + "=\"" + number(value) + "\""; }
std::string attribute(const char* name, std::string_view value) {
  return std::string(" ") + name + "=\"" + escape(value) + "\"";
}
std::string with_hint(const char* element, std::string_view hint) {
  return "><title>" + escape(hint) + "</title></" + element + ">\n";
}

}  // namespace

std::string escape(std::string_view text) {
  std::string safe;
  for (const char c : text) switch (c) {
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '&':
        safe += "&amp;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += c;
    }
  return safe;
}

Svg::Svg(double width, double height, std::string_view title) {
  body_ = "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\"" + attribute("aria-label", title) +
          attribute("width", width) + attribute("height", height) + " viewBox=\"0 0 " + number(width) + " " +
          number(height) + "\">\n";
}

void Svg::box(Point corner, Point size, std::string_view colour, std::string_view hint) {
  body_ += "<rect" + attribute("x", corner.x) + attribute("y", corner.y) + attribute("width", size.x) +
           attribute("height", size.y) + attribute("fill", colour) + with_hint("rect", hint);
}

void Svg::line(Point from, Point to, std::string_view css_class) {
  body_ += "<line" + attribute("x1", from.x) + attribute("y1", from.y) + attribute("x2", to.x) + attribute("y2", to.y) +
           attribute("class", css_class) + "/>\n";
}

void Svg::curve(const std::vector<Point>& points, std::string_view colour) {
  std::string list;
  for (const Point& point : points) list += number(point.x) + "," + number(point.y) + " ";
  body_ += "<polyline fill=\"none\" stroke-width=\"2\" stroke-linejoin=\"round\"" + attribute("stroke", colour) +
           attribute("points", list) + "/>\n";
}

void Svg::dot(Point centre, std::string_view colour, std::string_view hint) {
  body_ += "<circle r=\"4\"" + attribute("cx", centre.x) + attribute("cy", centre.y) + attribute("fill", colour) +
           with_hint("circle", hint);
}

void Svg::text(Point at, Anchor anchor, std::string_view content, std::string_view css_class) {
  constexpr const char* kAnchors[] = {"start", "middle", "end"};
  body_ += "<text" + attribute("x", at.x) + attribute("y", at.y) +
           attribute("text-anchor", kAnchors[static_cast<int>(anchor)]) +
           (css_class.empty() ? "" : attribute("class", css_class)) + ">" + escape(content) + "</text>\n";
}

double tick_step(double highest, int wanted) {
  if (!(highest > 0)) return 1;
  const double rough = highest / wanted, power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= rough) return factor * power;
  return 10 * power;
}

std::string_view series_colour(std::size_t index) {
  static constexpr std::string_view kColours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                  "#e69f00", "#56b4e9", "#7f7f7f", "#b8a800"};
  return kColours[index % std::size(kColours)];
}

}  // namespace tw::report
