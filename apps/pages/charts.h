// Charts: plain descriptions, drawn as SVG by svg_charts.h for pages and for bench's figures. A
// value that is NaN is left out.
#pragma once

#include <limits>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#pragma GCC visibility push(default)
namespace hanok::pages {

struct Axis {
  std::string label{};
  bool logarithmic = false;
  /// Range; equal ends: from the values.
  double low = 0, high = 0;
};

/// One line of a LineChart, or the points of a ScatterChart, with a name in the legend.
struct Series {
  std::string name{};
  std::vector<double> x{}, y{};
  bool dashed = false;
  /// Lower and upper ends of a band around y; empty: no band.
  std::vector<double> low{}, high{};
  /// What stands beside each point of a ScatterChart; empty: nothing.
  std::vector<std::string> labels{};
};

struct LineChart {
  std::string title{};
  Axis x{}, y{};
  std::vector<Series> series{};
  /// Vertical lines with a label: "best epoch", "layer4 unfrozen".
  std::vector<std::pair<double, std::string>> marks{};
  bool diagonal = false;  // draws y = x, for a reliability diagram
};

struct ScatterChart {
  std::string title{};
  Axis x{}, y{};
  std::vector<Series> series{};
  bool diagonal = false;  // draws y = x; both axes have one range, which must be given
};

/// Horizontal bars, one group of bars for each category, one bar in it for each series.
struct BarChart {
  struct Bars {
    std::string name{};                 // in the legend; empty if there is one series
    std::vector<double> values{};       // one a category
    std::vector<double> low{}, high{};  // ends of intervals, drawn as whiskers; empty: none
  };
  std::string title{};
  std::vector<std::string> categories{};
  Axis values{};
  std::vector<Bars> series{};
  /// A dashed line across all bars: "chance". NaN: none.
  double reference = std::numeric_limits<double>::quiet_NaN();
  std::string reference_name{};
  bool stacked = false;
};

/// A matrix of numbers as coloured cells with the numbers in them: a confusion matrix, a joint
/// table, where faces are.
struct HeatMap {
  std::string title{};
  std::string row_label{}, column_label{};
  std::vector<std::string> rows{}, columns{};  // names; empty: none are shown
  std::vector<std::vector<double>> values{};   // [rows][columns]
  int digits = 0;                              // after the point
  bool by_row = false;                         // colours are shares of each row's sum
  bool show_numbers = true;
};

using Chart = std::variant<LineChart, ScatterChart, BarChart, HeatMap>;

}  // namespace hanok::pages
#pragma GCC visibility pop
