// Elements of an SVG picture and the scales of its axes: what svg_charts.cpp draws with.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "hanok/apps/pages/charts.h"

namespace hanok::pages {

/// Colours are variables of the page's style, with values for an SVG file of its own.
constexpr const char* kInk = "var(--ink,#1d2329)";
constexpr const char* kMuted = "var(--muted,#5b6670)";
constexpr const char* kGrid = "var(--grid,#d9dee3)";
constexpr const char* kHeat = "var(--heat,#0b62a8)";
constexpr const char* kHeatInk = "var(--heat-ink,#ffffff)";
/// Of series number `i`.
const char* series_colour(std::size_t i);

enum class Anchor { Start, Middle, End };

class SvgCanvas {
 public:
  SvgCanvas(int width, int height);

  struct Line {
    double x1 = 0, y1 = 0, x2 = 0, y2 = 0;
  };
  void line(const Line& line, const char* colour, double width = 1, bool dashed = false);
  struct Rectangle {
    double x = 0, y = 0, width = 0, height = 0;
  };
  /// `hint` is shown by a browser while the pointer is on it.
  void rectangle(const Rectangle& box, const char* colour, double opacity = 1,
                 const std::string& hint = "");
  void circle(double x, double y, double radius, const char* colour, const std::string& hint = "");
  /// Through points that may be interrupted by NaN.
  void path(const std::vector<double>& x, const std::vector<double>& y, const char* colour,
            bool dashed);
  /// The area between two lines over x.
  void band(const std::vector<double>& x, const std::vector<double>& low,
            const std::vector<double>& high, const char* colour);
  struct TextStyle {
    Anchor anchor = Anchor::Start;
    int size = 12;
    const char* colour = kInk;
    bool upright = true;  // else turned by a quarter to the left
  };
  void text(double x, double y, const std::string& text, const TextStyle& style);

  /// What is drawn between the two is cut off outside the box.
  void begin_clip(const Rectangle& box);
  void end_clip();

  /// The whole element, with a title and a description for those who do not see it.
  std::string finish(const std::string& title, const std::string& description) const;

 private:
  int width_, height_;
  std::string elements_;
};

/// About as many pixels as the text takes at 12 pixels.
double text_width(const std::string& text);
/// The text, with its end replaced by an ellipsis where it takes more.
std::string shortened(const std::string& text, double width);

/// Maps values to pixels.
class Scale {
 public:
  /// `from` and `to` are the pixels of the axis's ends. Takes the range of `values` where the axis
  /// has none, and rounds it to ticks.
  Scale(const Axis& axis, const std::vector<double>& values, double from, double to);
  double operator()(double value) const;
  /// The same; of a value beyond an end of the axis, that end.
  double inside(double value) const;
  const std::vector<double>& ticks() const { return ticks_; }
  bool contains(double value) const;

 private:
  double transform(double value) const;
  bool logarithmic_;
  double low_, high_, from_, to_;
  std::vector<double> ticks_;
};

/// A tick's or table's number: at most 4 significant digits, without trailing zeros.
std::string short_number(double value);

}  // namespace hanok::pages
