// A picture under construction: SVG elements in a fixed canvas. Texts are escaped; colours are CSS colours or classes
// of the page that it stands in.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tw::report {

/// `text` with <, >, & and " as entities: safe as content and as an attribute of HTML and SVG.
std::string escape(std::string_view text);

struct Point {
  double x, y;
};
enum class Anchor { start, middle, end };

class Svg {
 public:
  /// `title` is read out by screen readers.
  Svg(double width, double height, std::string_view title);
  /// A filled box; `hint` shows when the mouse rests on it.
  void box(Point corner, Point size, std::string_view colour, std::string_view hint);
  void line(Point from, Point to, std::string_view css_class);
  void curve(const std::vector<Point>& points, std::string_view colour);
  void dot(Point centre, std::string_view colour, std::string_view hint);
  void text(Point at, Anchor anchor, std::string_view content, std::string_view css_class = "");
  std::string str() const { return body_ + "</svg>\n"; }

 private:
  std::string body_;
};

/// Values 0 < step, 2 step, ... that make good ticks of an axis up to `highest`: about `wanted` of them.
double tick_step(double highest, int wanted);

/// Colours that stay apart for colour-blind readers (Okabe and Ito 2008), `index` taken round.
std::string_view series_colour(std::size_t index);

}  // namespace tw::report
