#include "hanok/apps/pages/svg_charts.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "hanok/apps/pages/svg_canvas.h"
#include "hanok/kernels/base/error.h"

namespace hanok::pages {
namespace {

constexpr int kWidth = 660, kPlotHeight = 280;
constexpr double kRight = 20, kBottom = 48, kLegendLine = 20;
constexpr double kMarkRoom = 4;  // of a point on the plot's edge

void check(bool equal, const std::string& title, const char* what) {
  if (!equal) throw ValueError(fmt::format("chart '{}': {} differ in length", title, what));
}

void check(const Series& series, const std::string& title) {
  check(series.x.size() == series.y.size(), title, "x and y");
  check(series.low.size() == series.high.size(), title, "the ends of a band");
  check(series.low.empty() || series.low.size() == series.x.size(), title, "x and a band");
  check(series.labels.empty() || series.labels.size() == series.x.size(), title, "x and labels");
}

// ---- legend and axes ----

/// Names with their colours in lines above the plot. Returns the height that it takes.
double draw_legend(SvgCanvas& canvas, const std::vector<std::string>& names) {
  const auto named = std::count_if(names.begin(), names.end(),
                                   [](const std::string& name) { return !name.empty(); });
  if (named == 0 || (named == 1 && names.size() == 1 && names[0].empty())) return 0;
  double x = 60, y = 16;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) continue;
    const std::string name = shortened(names[i], 260);
    const double width = 24 + text_width(name) + 16;
    if (x + width > kWidth && x > 60) {
      x = 60;
      y += kLegendLine;
    }
    canvas.rectangle({.x = x, .y = y - 10, .width = 16, .height = 10}, series_colour(i));
    canvas.text(x + 22, y, name, {});
    x += width;
  }
  return y + 10;
}

/// Lines of legend that draw_legend() will need.
double legend_height(const std::vector<std::string>& names) {
  SvgCanvas scratch(kWidth, 10);
  return draw_legend(scratch, names);
}

struct Plot {
  double left, top, right, bottom;
};

/// Where a plot begins: its axis's numbers stand between the axis's name and the plot.
double left_of_plot(const Scale& y_scale) {
  constexpr double kName = 22, kGap = 6, kLeast = 64;
  double widest = 0;
  for (const double tick : y_scale.ticks()) {
    widest = std::max(widest, text_width(short_number(tick)) * 11 / 12);
  }
  return std::max(kLeast, kName + widest + kGap);
}

void draw_axes(SvgCanvas& canvas, const Plot& plot, const Axis& x, const Axis& y,
               const Scale& x_scale, const Scale& y_scale) {
  for (const double tick : y_scale.ticks()) {
    const double at = y_scale(tick);
    canvas.line({.x1 = plot.left, .y1 = at, .x2 = plot.right, .y2 = at}, kGrid);
    canvas.text(plot.left - 6, at + 4, short_number(tick),
                {.anchor = Anchor::End, .size = 11, .colour = kMuted});
  }
  for (const double tick : x_scale.ticks()) {
    const double at = x_scale(tick);
    canvas.line({.x1 = at, .y1 = plot.bottom, .x2 = at, .y2 = plot.bottom + 4}, kMuted);
    canvas.text(at, plot.bottom + 18, short_number(tick),
                {.anchor = Anchor::Middle, .size = 11, .colour = kMuted});
  }
  canvas.line({.x1 = plot.left, .y1 = plot.bottom, .x2 = plot.right, .y2 = plot.bottom}, kMuted);
  canvas.text((plot.left + plot.right) / 2, plot.bottom + 36, x.label, {.anchor = Anchor::Middle});
  canvas.text(14, (plot.top + plot.bottom) / 2, y.label,
              {.anchor = Anchor::Middle, .upright = false});
}

// ---- lines and points ----

std::vector<std::string> names_of(const std::vector<Series>& series) {
  std::vector<std::string> names;
  for (const Series& one : series) names.push_back(one.name);
  return names;
}

struct Values {
  std::vector<double> x, y;
};
Values all_values(const std::vector<Series>& series) {
  Values all;
  for (const Series& one : series) {
    all.x.insert(all.x.end(), one.x.begin(), one.x.end());
    for (const auto* part : {&one.y, &one.low, &one.high}) {
      all.y.insert(all.y.end(), part->begin(), part->end());
    }
  }
  return all;
}

std::vector<double> scaled(const std::vector<double>& values, const Scale& scale) {
  std::vector<double> out;
  for (const double value : values) out.push_back(scale(value));
  return out;
}

/// What line and scatter charts share: everything but the series themselves.
template <typename Draw>
std::string draw_plane(const Axis& x, const Axis& y, const std::vector<Series>& series,
                       const std::string& title, const std::string& description, const Draw& draw) {
  for (const Series& one : series) check(one, title);
  const double legend = legend_height(names_of(series));
  const Values values = all_values(series);
  const double top = legend + 14;
  const Scale y_scale(y, values.y, top + kPlotHeight, top);
  const Plot plot{.left = left_of_plot(y_scale),
                  .top = top,
                  .right = kWidth - kRight,
                  .bottom = top + kPlotHeight};
  SvgCanvas canvas(kWidth, static_cast<int>(plot.bottom + kBottom));
  draw_legend(canvas, names_of(series));
  const Scale x_scale(x, values.x, plot.left, plot.right);
  draw_axes(canvas, plot, x, y, x_scale, y_scale);
  canvas.begin_clip({.x = plot.left - kMarkRoom,
                     .y = plot.top - kMarkRoom,
                     .width = plot.right - plot.left + 2 * kMarkRoom,
                     .height = plot.bottom - plot.top + 2 * kMarkRoom});
  draw(canvas, plot, x_scale, y_scale);
  canvas.end_clip();
  return canvas.finish(title, description);
}

/// The name of a series, with the point's label where it has one.
std::string name_of_point(const Series& series, std::size_t i) {
  if (series.labels.empty()) return series.name;
  return series.name + (series.name.empty() ? "" : " ") + series.labels[i];
}

std::string hint_of(const Series& series, std::size_t i) {
  const std::string name = name_of_point(series, i);
  return fmt::format("{}{}{}: {}", name, name.empty() ? "" : ", ", short_number(series.x[i]),
                     short_number(series.y[i]));
}

std::string draw(const LineChart& chart, const std::string& description) {
  return draw_plane(
      chart.x, chart.y, chart.series, chart.title, description,
      [&](SvgCanvas& canvas, const Plot& plot, const Scale& x, const Scale& y) {
        if (chart.diagonal) {
          canvas.line({.x1 = plot.left, .y1 = plot.bottom, .x2 = plot.right, .y2 = plot.top},
                      kMuted, 1, true);
        }
        double label_y = plot.top - 2;
        for (const auto& [at, label] : chart.marks) {
          if (!x.contains(at)) continue;
          canvas.line({.x1 = x(at), .y1 = plot.top, .x2 = x(at), .y2 = plot.bottom}, kMuted, 1,
                      true);
          const bool to_the_left = x(at) + 4 + text_width(label) > plot.right;
          canvas.text(
              x(at) + (to_the_left ? -4 : 4), label_y + 12, label,
              {.anchor = to_the_left ? Anchor::End : Anchor::Start, .size = 11, .colour = kMuted});
          label_y = label_y + 14 > plot.bottom - 20 ? plot.top - 2 : label_y + 14;
        }
        for (std::size_t s = 0; s < chart.series.size(); ++s) {
          const Series& series = chart.series[s];
          const char* colour = series_colour(s);
          const std::vector<double> across = scaled(series.x, x);
          if (!series.low.empty()) {
            canvas.band(across, scaled(series.low, y), scaled(series.high, y), colour);
          }
          canvas.path(across, scaled(series.y, y), colour, series.dashed);
          if (series.x.size() > 60) continue;
          for (std::size_t i = 0; i < series.x.size(); ++i) {
            if (!std::isfinite(y(series.y[i]))) continue;
            canvas.circle(across[i], y(series.y[i]), 2.5, colour, hint_of(series, i));
          }
        }
      });
}

using Box = SvgCanvas::Rectangle;

bool overlap(const Box& a, const Box& b) {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

/// Where a point's label fits: beside it, above or below, inside the plot and off what is `taken`;
/// to its right where it fits nowhere.
Box place_of_label(const std::string& label, double x, double y, const Plot& plot,
                   const std::vector<Box>& taken) {
  constexpr double kHeight = 12, kGap = 6;
  const double width = text_width(label) * 11 / 12;
  const double beside = y - kHeight / 2;
  const double centred = std::max(plot.left, std::min(x - width / 2, plot.right - width));
  const Box places[] = {{x + kGap, beside, width, kHeight},
                        {x - kGap - width, beside, width, kHeight},
                        {centred, y - kGap - kHeight, width, kHeight},
                        {centred, y + kGap, width, kHeight}};
  for (const Box& place : places) {
    const bool inside = place.x >= plot.left && place.x + width <= plot.right &&
                        place.y >= plot.top - kHeight / 2 &&
                        place.y + kHeight <= plot.bottom + kHeight / 2;
    const bool free = std::none_of(taken.begin(), taken.end(),
                                   [&](const Box& other) { return overlap(place, other); });
    if (inside && free) return place;
  }
  return places[0];
}

std::string draw(const ScatterChart& chart, const std::string& description) {
  return draw_plane(
      chart.x, chart.y, chart.series, chart.title, description,
      [&](SvgCanvas& canvas, const Plot& plot, const Scale& x, const Scale& y) {
        if (chart.diagonal) {
          canvas.line({.x1 = plot.left, .y1 = plot.bottom, .x2 = plot.right, .y2 = plot.top},
                      kMuted, 1, true);
        }
        std::vector<Box> taken;  // by points, then by labels
        const auto each_point = [&](const auto& visit) {
          for (std::size_t s = 0; s < chart.series.size(); ++s) {
            const Series& series = chart.series[s];
            for (std::size_t i = 0; i < series.x.size(); ++i) {
              const double at_x = x(series.x[i]), at_y = y(series.y[i]);
              if (std::isfinite(at_x) && std::isfinite(at_y)) visit(s, i, at_x, at_y);
            }
          }
        };
        each_point([&](std::size_t s, std::size_t i, double at_x, double at_y) {
          canvas.circle(at_x, at_y, 3, series_colour(s), hint_of(chart.series[s], i));
          taken.push_back({at_x - 4, at_y - 4, 8, 8});
        });
        each_point([&](std::size_t s, std::size_t i, double at_x, double at_y) {
          const Series& series = chart.series[s];
          if (series.labels.empty()) return;
          taken.push_back(place_of_label(series.labels[i], at_x, at_y, plot, taken));
          canvas.text(taken.back().x, taken.back().y + 10, series.labels[i], {.size = 11});
        });
      });
}

// ---- bars ----

std::vector<std::string> names_of(const std::vector<BarChart::Bars>& series) {
  std::vector<std::string> names;
  for (const BarChart::Bars& one : series) names.push_back(one.name);
  return names;
}

double finite_or_zero(double value) { return std::isfinite(value) ? value : 0; }

/// The axis of values: from 0 on, to the longest bar, whisker or stack.
std::vector<double> ends_of_bars(const BarChart& chart) {
  std::vector<double> ends = {0.0};
  if (std::isfinite(chart.reference)) ends.push_back(chart.reference);
  for (std::size_t c = 0; c < chart.categories.size(); ++c) {
    double sum = 0;
    for (const BarChart::Bars& bars : chart.series) {
      sum += finite_or_zero(bars.values[c]);
      ends.push_back(chart.stacked ? sum : bars.values[c]);
      if (!bars.high.empty()) ends.push_back(bars.high[c]);
    }
  }
  return ends;
}

void check(const BarChart& chart) {
  for (const BarChart::Bars& bars : chart.series) {
    check(bars.values.size() == chart.categories.size(), chart.title, "categories and values");
    check(bars.low.size() == bars.high.size(), chart.title, "the ends of intervals");
    check(bars.low.empty() || bars.low.size() == bars.values.size(), chart.title,
          "values and intervals");
  }
}

std::string draw(const BarChart& chart, const std::string& description) {
  check(chart);
  const std::size_t lanes = chart.stacked ? 1 : std::max<std::size_t>(1, chart.series.size());
  const double bar = lanes == 1 ? 16 : 11, gap = 8;
  const double row = static_cast<double>(lanes) * bar + gap;
  double names_width = 60;
  for (const std::string& name : chart.categories) {
    names_width = std::max(names_width, std::min(230.0, text_width(name) + 14));
  }
  const double legend = legend_height(names_of(chart.series));
  const Plot plot{.left = names_width,
                  .top = legend + 14,
                  .right = kWidth - kRight - 46,
                  .bottom = legend + 14 + row * static_cast<double>(chart.categories.size())};
  SvgCanvas canvas(kWidth, static_cast<int>(plot.bottom + kBottom));
  draw_legend(canvas, names_of(chart.series));
  const Scale scale(chart.values, ends_of_bars(chart), plot.left, plot.right);
  for (const double tick : scale.ticks()) {
    canvas.line({.x1 = scale(tick), .y1 = plot.top, .x2 = scale(tick), .y2 = plot.bottom}, kGrid);
    canvas.text(scale(tick), plot.bottom + 16, short_number(tick),
                {.anchor = Anchor::Middle, .size = 11, .colour = kMuted});
  }
  for (std::size_t c = 0; c < chart.categories.size(); ++c) {
    const double top = plot.top + row * static_cast<double>(c) + gap / 2;
    canvas.text(plot.left - 8, top + (row - gap) / 2 + 4,
                shortened(chart.categories[c], names_width - 14), {.anchor = Anchor::End});
    double stack = 0;
    for (std::size_t s = 0; s < chart.series.size(); ++s) {
      const BarChart::Bars& bars = chart.series[s];
      const double value = bars.values[c];
      if (!std::isfinite(value)) continue;
      const double begin = chart.stacked ? stack : 0;
      stack += value;
      const double y = top + (chart.stacked ? 0 : static_cast<double>(s) * bar);
      // A range that was given may be shorter than the bar, whose number says how long it is.
      const double from = scale.inside(begin), to = scale.inside(begin + value);
      canvas.rectangle(
          {.x = std::min(from, to), .y = y + 1, .width = std::abs(to - from), .height = bar - 2},
          series_colour(s), 1,
          fmt::format("{}{}{}: {}", chart.categories[c], bars.name.empty() ? "" : ", ", bars.name,
                      short_number(value)));
      double end = to;
      if (!bars.low.empty() && std::isfinite(bars.low[c]) && std::isfinite(bars.high[c])) {
        const double middle = y + bar / 2;
        const double low = scale.inside(bars.low[c]), high = scale.inside(bars.high[c]);
        canvas.line({.x1 = low, .y1 = middle, .x2 = high, .y2 = middle}, kInk, 1.5);
        for (const double at : {bars.low[c], bars.high[c]}) {
          if (!scale.contains(at)) continue;
          canvas.line({.x1 = scale(at), .y1 = middle - 3, .x2 = scale(at), .y2 = middle + 3}, kInk,
                      1.5);
        }
        end = std::max(end, high);
      }
      if (!chart.stacked) {
        canvas.text(end + 5, y + bar / 2 + 4, short_number(value), {.size = 11, .colour = kMuted});
      }
    }
  }
  if (std::isfinite(chart.reference)) {
    const double at = scale.inside(chart.reference);
    canvas.line({.x1 = at, .y1 = plot.top - 4, .x2 = at, .y2 = plot.bottom}, kInk, 1.5, true);
    const bool to_the_left = at + 4 + text_width(chart.reference_name) > kWidth;
    canvas.text(at + (to_the_left ? -4 : 4), plot.top - 2, chart.reference_name,
                {.anchor = to_the_left ? Anchor::End : Anchor::Start, .size = 11});
  }
  canvas.text((plot.left + plot.right) / 2, plot.bottom + 36, chart.values.label,
              {.anchor = Anchor::Middle});
  return canvas.finish(chart.title, description);
}

// ---- heat maps ----

double opacity_of(const HeatMap& map, std::size_t row, double value) {
  double most = 0;
  if (map.by_row) {
    for (const double other : map.values[row]) most += std::max(0.0, finite_or_zero(other));
  } else {
    for (const auto& values : map.values) {
      for (const double other : values) most = std::max(most, finite_or_zero(other));
    }
  }
  return most > 0 && value > 0 ? value / most : 0;
}

void check(const HeatMap& map) {
  const std::size_t columns = map.values.empty() ? 0 : map.values[0].size();
  for (const auto& row : map.values) check(row.size() == columns, map.title, "rows");
  check(map.rows.empty() || map.rows.size() == map.values.size(), map.title, "names and rows");
  check(map.columns.empty() || map.columns.size() == columns, map.title, "names and columns");
}

std::string draw(const HeatMap& map, const std::string& description) {
  check(map);
  const std::size_t rows = map.values.size(), columns = rows == 0 ? 0 : map.values[0].size();
  double names_width = 28;
  for (const std::string& name : map.rows) {
    names_width = std::max(names_width, std::min(210.0, text_width(name) + 34));
  }
  const double cell_width = std::min(
      84.0, (kWidth - names_width - 8) / std::max<double>(1, static_cast<double>(columns)));
  const double cell_height = std::min(30.0, cell_width);
  double column_names = 0;
  bool turned = false;
  for (const std::string& name : map.columns) turned |= text_width(name) > cell_width - 4;
  for (const std::string& name : map.columns) {
    column_names = std::max(column_names, turned ? std::min(150.0, text_width(name)) + 8 : 18);
  }
  const double top = column_names + (map.column_label.empty() ? 6 : 26);
  SvgCanvas canvas(kWidth, static_cast<int>(top + cell_height * static_cast<double>(rows) + 12));
  canvas.text(names_width + cell_width * static_cast<double>(columns) / 2, 14, map.column_label,
              {.anchor = Anchor::Middle, .colour = kMuted});
  canvas.text(12, top + cell_height * static_cast<double>(rows) / 2, map.row_label,
              {.anchor = Anchor::Middle, .colour = kMuted, .upright = false});
  for (std::size_t c = 0; c < map.columns.size(); ++c) {
    const double x = names_width + cell_width * (static_cast<double>(c) + 0.5);
    if (turned) {
      canvas.text(x + 4, top - 6, shortened(map.columns[c], 150), {.upright = false});
    } else {
      canvas.text(x, top - 6, map.columns[c], {.anchor = Anchor::Middle});
    }
  }
  for (std::size_t r = 0; r < rows; ++r) {
    const double y = top + cell_height * static_cast<double>(r);
    if (!map.rows.empty()) {
      canvas.text(names_width - 8, y + cell_height / 2 + 4,
                  shortened(map.rows[r], names_width - 34), {.anchor = Anchor::End});
    }
    for (std::size_t c = 0; c < columns; ++c) {
      const double value = map.values[r][c], x = names_width + cell_width * static_cast<double>(c);
      const double opacity = opacity_of(map, r, value);
      const std::string number =
          std::isfinite(value) ? fmt::format("{:.{}f}", value, map.digits) : "-";
      const std::string hint = map.rows.empty() || map.columns.empty()
                                   ? number
                                   : fmt::format("{}, {}: {}", map.rows[r], map.columns[c], number);
      canvas.rectangle(
          {.x = x + 0.5, .y = y + 0.5, .width = cell_width - 1, .height = cell_height - 1}, kHeat,
          0.04 + 0.96 * opacity, hint);
      if (map.show_numbers && text_width(number) < cell_width - 2) {
        canvas.text(x + cell_width / 2, y + cell_height / 2 + 4, number,
                    {.anchor = Anchor::Middle, .colour = opacity > 0.5 ? kHeatInk : kInk});
      }
    }
  }
  return canvas.finish(map.title, description);
}

// ---- in words ----

std::string join(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) all += (all.empty() ? "" : "; ") + part;
  return all;
}

std::string words(const LineChart& chart) {
  std::vector<std::string> parts;
  for (const Series& series : chart.series) {
    std::size_t first = series.y.size(), last = 0;
    double low = INFINITY, high = -INFINITY;
    for (std::size_t i = 0; i < series.y.size(); ++i) {
      if (!std::isfinite(series.y[i])) continue;
      first = std::min(first, i);
      last = i;
      low = std::min(low, series.y[i]);
      high = std::max(high, series.y[i]);
    }
    if (first == series.y.size()) continue;
    parts.push_back(fmt::format("{}from {} at {} to {} at {}, lowest {}, highest {}",
                                series.name.empty() ? "" : series.name + " ",
                                short_number(series.y[first]), short_number(series.x[first]),
                                short_number(series.y[last]), short_number(series.x[last]),
                                short_number(low), short_number(high)));
  }
  return fmt::format("{} over {}. {}", chart.y.label, chart.x.label, join(parts));
}

std::string words(const ScatterChart& chart) {
  std::vector<std::string> parts;
  for (const Series& series : chart.series) {
    if (series.labels.empty()) {
      parts.push_back(fmt::format("{} {} points", series.name, series.x.size()));
    }
    for (std::size_t i = 0; i < series.labels.size(); ++i) {
      parts.push_back(fmt::format("{} {} at {}", name_of_point(series, i),
                                  short_number(series.y[i]), short_number(series.x[i])));
    }
  }
  return fmt::format("{} against {}. {}", chart.y.label, chart.x.label, join(parts));
}

std::string words(const BarChart& chart) {
  std::vector<std::string> parts;
  for (std::size_t c = 0; c < chart.categories.size() && c < 12; ++c) {
    std::string part = chart.categories[c];
    for (const BarChart::Bars& bars : chart.series) {
      part += fmt::format(" {}{}{}", bars.name, bars.name.empty() ? "" : " ",
                          short_number(bars.values[c]));
    }
    parts.push_back(part);
  }
  if (chart.categories.size() > 12) {
    parts.push_back(fmt::format("and {} more", chart.categories.size() - 12));
  }
  const std::string reference =
      std::isfinite(chart.reference)
          ? fmt::format(" {}: {}.", chart.reference_name, short_number(chart.reference))
          : "";
  return fmt::format("{}. {}.{}", chart.values.label, join(parts), reference);
}

std::string words(const HeatMap& map) {
  double most = -INFINITY;
  std::size_t row = 0, column = 0;
  for (std::size_t r = 0; r < map.values.size(); ++r) {
    for (std::size_t c = 0; c < map.values[r].size(); ++c) {
      if (!(map.values[r][c] > most)) continue;
      most = map.values[r][c];
      row = r;
      column = c;
    }
  }
  if (map.values.empty() || !std::isfinite(most)) return "empty";
  const auto name = [](const std::vector<std::string>& names, std::size_t i) {
    return names.empty() ? fmt::format("{}", i + 1) : names[i];
  };
  return fmt::format("{} rows and {} columns; the largest value is {:.{}f}, in row {}, column {}.",
                     map.values.size(), map.values[0].size(), most, map.digits, name(map.rows, row),
                     name(map.columns, column));
}

// ---- as tables ----

using Rows = std::vector<std::vector<std::string>>;

Rows series_rows(const Axis& x, const std::vector<Series>& series) {
  Rows rows = {{"series", x.label, "value"}};
  for (const Series& one : series) {
    for (std::size_t i = 0; i < one.x.size(); ++i) {
      rows.push_back({name_of_point(one, i), short_number(one.x[i]), short_number(one.y[i])});
    }
  }
  return rows;
}

Rows table(const LineChart& chart) { return series_rows(chart.x, chart.series); }
Rows table(const ScatterChart& chart) { return series_rows(chart.x, chart.series); }

Rows table(const BarChart& chart) {
  Rows rows(1, {""});
  for (const BarChart::Bars& bars : chart.series) {
    rows[0].push_back(bars.name.empty() ? chart.values.label : bars.name);
    if (!bars.low.empty()) rows[0].insert(rows[0].end(), {"from", "to"});
  }
  for (std::size_t c = 0; c < chart.categories.size(); ++c) {
    std::vector<std::string> row = {chart.categories[c]};
    for (const BarChart::Bars& bars : chart.series) {
      row.push_back(short_number(bars.values[c]));
      if (bars.low.empty()) continue;
      row.push_back(short_number(bars.low[c]));
      row.push_back(short_number(bars.high[c]));
    }
    rows.push_back(row);
  }
  return rows;
}

Rows table(const HeatMap& map) {
  Rows rows(1, {map.row_label});
  const std::size_t columns = map.values.empty() ? 0 : map.values[0].size();
  for (std::size_t c = 0; c < columns; ++c) {
    rows[0].push_back(map.columns.empty() ? fmt::format("{}", c + 1) : map.columns[c]);
  }
  for (std::size_t r = 0; r < map.values.size(); ++r) {
    std::vector<std::string> row = {map.rows.empty() ? fmt::format("{}", r + 1) : map.rows[r]};
    for (const double value : map.values[r]) {
      row.push_back(std::isfinite(value) ? fmt::format("{:.{}f}", value, map.digits) : "-");
    }
    rows.push_back(row);
  }
  return rows;
}

}  // namespace

std::string to_svg(const Chart& chart) {
  return std::visit([&](const auto& kind) { return draw(kind, describe(chart)); }, chart);
}

std::string describe(const Chart& chart) {
  return std::visit([](const auto& kind) { return words(kind); }, chart);
}

std::vector<std::vector<std::string>> to_rows(const Chart& chart) {
  return std::visit([](const auto& kind) { return table(kind); }, chart);
}

}  // namespace hanok::pages
