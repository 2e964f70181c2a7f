#include "hanok/apps/pages/svg_canvas.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>

#include "hanok/apps/pages/html.h"
#include "hanok/apps/pages/utf8.h"
#include "hanok/kernels/base/error.h"

namespace hanok::pages {
namespace {

const char* name_of(Anchor anchor) {
  switch (anchor) {
    case Anchor::Start:
      return "start";
    case Anchor::Middle:
      return "middle";
    case Anchor::End:
      return "end";
  }
  return "start";
}

std::string titled(const std::string& hint) {
  return hint.empty() ? "/>\n" : fmt::format("><title>{}</title>", escape(hint));
}

/// 1, 2 or 5 times a power of ten: about `count` steps in `range`.
double step_of(double range, int count) {
  const double rough = range / count;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

}  // namespace

const char* series_colour(std::size_t i) {
  // After Okabe and Ito, Color Universal Design, 2008: told apart also by colour-blind readers.
  static constexpr std::array<const char*, 8> colours = {
      "var(--c0,#0067a5)", "var(--c1,#c24e00)", "var(--c2,#007a59)", "var(--c3,#b0468c)",
      "var(--c4,#8a6d00)", "var(--c5,#2d8fc4)", "var(--c6,#6b4fbf)", "var(--c7,#555c63)"};
  return colours[i % colours.size()];
}

SvgCanvas::SvgCanvas(int width, int height) : width_(width), height_(height) {}

void SvgCanvas::line(const Line& line, const char* colour, double width, bool dashed) {
  elements_ += fmt::format(
      "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" "
      "stroke-width=\"{}\"{}/>\n",
      line.x1, line.y1, line.x2, line.y2, colour, width, dashed ? " stroke-dasharray=\"5 4\"" : "");
}

void SvgCanvas::rectangle(const Rectangle& box, const char* colour, double opacity,
                          const std::string& hint) {
  elements_ += fmt::format(
      "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\" "
      "fill-opacity=\"{:.3g}\"{}{}",
      box.x, box.y, std::max(0.0, box.width), std::max(0.0, box.height), colour, opacity,
      titled(hint), hint.empty() ? "" : "</rect>\n");
}

void SvgCanvas::circle(double x, double y, double radius, const char* colour,
                       const std::string& hint) {
  elements_ += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\" fill=\"{}\"{}{}", x, y,
                           radius, colour, titled(hint), hint.empty() ? "" : "</circle>\n");
}

void SvgCanvas::path(const std::vector<double>& x, const std::vector<double>& y, const char* colour,
                     bool dashed) {
  std::string steps;
  bool pen_down = false;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!std::isfinite(x[i]) || !std::isfinite(y[i])) {
      pen_down = false;
      continue;
    }
    steps += fmt::format("{}{:.1f} {:.1f}", pen_down ? 'L' : 'M', x[i], y[i]);
    pen_down = true;
  }
  if (steps.empty()) return;
  elements_ += fmt::format(
      "<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\" "
      "stroke-linejoin=\"round\"{}/>\n",
      steps, colour, dashed ? " stroke-dasharray=\"6 4\"" : "");
}

void SvgCanvas::band(const std::vector<double>& x, const std::vector<double>& low,
                     const std::vector<double>& high, const char* colour) {
  std::string steps, back;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!std::isfinite(x[i]) || !std::isfinite(low[i]) || !std::isfinite(high[i])) continue;
    steps += fmt::format("{}{:.1f} {:.1f}", steps.empty() ? 'M' : 'L', x[i], high[i]);
    back = fmt::format("L{:.1f} {:.1f}", x[i], low[i]) + back;
  }
  if (steps.empty()) return;
  elements_ +=
      fmt::format("<path d=\"{}{}Z\" fill=\"{}\" fill-opacity=\"0.15\"/>\n", steps, back, colour);
}

void SvgCanvas::text(double x, double y, const std::string& text, const TextStyle& style) {
  elements_ += fmt::format(
      "<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"{}\" fill=\"{}\" text-anchor=\"{}\"{}>{}"
      "</text>\n",
      x, y, style.size, style.colour, name_of(style.anchor),
      style.upright ? "" : fmt::format(" transform=\"rotate(-90 {:.1f} {:.1f})\"", x, y),
      escape(text));
}

void SvgCanvas::begin_clip(const Rectangle& box) {
  // An inner <svg> cuts off by itself, and unlike a clipPath needs no id, unique in its page.
  const double width = std::max(0.0, box.width), height = std::max(0.0, box.height);
  elements_ += fmt::format(
      "<svg x=\"{0:.1f}\" y=\"{1:.1f}\" width=\"{2:.1f}\" height=\"{3:.1f}\" "
      "viewBox=\"{0:.1f} {1:.1f} {2:.1f} {3:.1f}\">\n",
      box.x, box.y, width, height);
}

void SvgCanvas::end_clip() { elements_ += "</svg>\n"; }

std::string SvgCanvas::finish(const std::string& title, const std::string& description) const {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 {0} {1}\" "
      "width=\"{0}\" height=\"{1}\" style=\"background:var(--paper,#ffffff)\" "
      "font-family=\"system-ui,'DejaVu Sans',Arial,sans-serif\">\n"
      "<title>{2}</title>\n<desc>{3}</desc>\n{4}</svg>\n",
      width_, height_, escape(title), escape(description), elements_);
}

double text_width(const std::string& text) { return 6.7 * static_cast<double>(characters(text)); }

std::string shortened(const std::string& text, double width) {
  if (text_width(text) <= width) return text;
  const auto most = static_cast<std::size_t>(std::max(1.0, width / 6.7 - 1));
  std::size_t end = 0, seen = 0;
  while (end < text.size()) {
    if (!continues_character(text[end]) && seen++ == most) break;
    ++end;
  }
  return text.substr(0, end) + "…";
}

Scale::Scale(const Axis& axis, const std::vector<double>& values, double from, double to)
    : logarithmic_(axis.logarithmic), low_(axis.low), high_(axis.high), from_(from), to_(to) {
  if (low_ == high_) {
    low_ = INFINITY;
    high_ = -INFINITY;
    for (const double value : values) {
      if (!std::isfinite(value) || (logarithmic_ && value <= 0)) continue;
      low_ = std::min(low_, value);
      high_ = std::max(high_, value);
    }
    if (low_ > high_) low_ = logarithmic_ ? 1 : 0, high_ = logarithmic_ ? 10 : 1;
  }
  if (logarithmic_ && !(low_ > 0)) {
    throw ValueError(fmt::format("chart axis '{}': logarithmic, so it must begin above 0, got {}",
                                 axis.label, low_));
  }
  if (logarithmic_) {
    low_ = std::pow(10.0, std::floor(std::log10(low_) + 1e-9));
    high_ = std::pow(10.0, std::ceil(std::log10(high_) - 1e-9));
    if (high_ <= low_) high_ = 10 * low_;
    for (double tick = low_; tick <= high_ * 1.001; tick *= 10) ticks_.push_back(tick);
    return;
  }
  if (high_ <= low_) {
    const double margin = low_ == 0 ? 1 : std::abs(low_) * 0.1;
    low_ -= margin;
    high_ += margin;
  }
  const double step = step_of(high_ - low_, 6);
  if (axis.low == axis.high) {
    low_ = std::floor(low_ / step + 1e-9) * step;
    high_ = std::ceil(high_ / step - 1e-9) * step;
  }
  const auto first = static_cast<long>(std::ceil(low_ / step - 1e-9));
  const auto last = static_cast<long>(std::floor(high_ / step + 1e-9));
  for (long k = first; k <= last; ++k) ticks_.push_back(static_cast<double>(k) * step);
}

double Scale::transform(double value) const { return logarithmic_ ? std::log10(value) : value; }

double Scale::operator()(double value) const {
  const double share = (transform(value) - transform(low_)) / (transform(high_) - transform(low_));
  return from_ + share * (to_ - from_);
}

double Scale::inside(double value) const { return (*this)(std::clamp(value, low_, high_)); }

bool Scale::contains(double value) const { return value >= low_ && value <= high_; }

std::string short_number(double value) {
  if (std::isnan(value)) return "-";
  if (value == 0) return "0";
  const double size = std::abs(value);
  if (size >= 1000 && size < 1e7 && value == std::round(value)) {
    return fmt::format("{:.0f}", value);
  }
  return fmt::format("{:.4g}", value);
}

}  // namespace hanok::pages
