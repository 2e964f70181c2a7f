#include "bench/bench_chart/benchmark_page.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <utility>

#include "hanok/kernels/base/error.h"

namespace hanok::bench {
namespace {

using nlohmann::ordered_json;

/// Bars longer than this are cut off: features that are not computed again are far beyond it.
constexpr double kLongestRatio = 5;

/// What a benchmark can measure, most telling first, and how it is drawn.
struct Measure {
  const char* counter;
  const char* label;
  double unit;
};
constexpr Measure kMeasures[] = {{"FLOP/s", "GFLOP/s", 1e9},
                                 {"TFLOP/s", "TFLOP/s", 1},
                                 {"bytes/s", "GB/s", 1e9},
                                 {"GB/s", "GB/s", 1},
                                 {"items_per_second", "images/s", 1},
                                 {"ratio", "ratio", 1},
                                 {"over_model_and_batch_MB", "MB over model and batch", 1}};

Measure measure_of(const ordered_json& benchmark) {
  for (const Measure& measure : kMeasures) {
    if (benchmark.contains(measure.counter)) return measure;
  }
  return {"real_time", "time of an iteration", 1};
}

/// null stands for a value that is no number.
double number_of(const ordered_json& value) { return value.is_null() ? NAN : value.get<double>(); }

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  if (values.size() % 2 == 1) return values[middle];
  return (values[middle - 1] + values[middle]) / 2;
}

/// The name without its family and without "real_time", which says how the clock was read.
std::string short_name(const std::string& name, const std::string& family) {
  std::string rest = name.substr(std::min(name.size(), family.size() + 1));
  const std::string ending = "real_time";
  if (rest.size() >= ending.size() &&
      rest.compare(rest.size() - ending.size(), ending.size(), ending) == 0) {
    rest.resize(rest.size() - ending.size());
    if (!rest.empty() && rest.back() == '/') rest.pop_back();
  }
  return rest.empty() ? family : rest;
}

/// The values of one chart by category, in the order of their first appearance.
struct Measured {
  std::string title, label;
  std::vector<std::string> categories;
  std::map<std::string, std::vector<double>> values;

  void add(const std::string& category, double value) {
    if (values.count(category) == 0) categories.push_back(category);
    values[category].push_back(value);
  }
};

pages::BarChart to_chart(const Measured& measured) {
  pages::BarChart chart{.title = measured.title,
                        .categories = measured.categories,
                        .values = {.label = measured.label}};
  pages::BarChart::Bars bars;
  bool repeated = false;
  for (const std::string& category : measured.categories) {
    const std::vector<double>& values = measured.values.at(category);
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    repeated = repeated || values.size() > 1;
    bars.values.push_back(median(values));
    bars.low.push_back(*low);
    bars.high.push_back(*high);
  }
  if (!repeated) bars.low = bars.high = {};
  chart.series = {bars};
  return chart;
}

Figures of_google_benchmark(const ordered_json& file) {
  const ordered_json& context = file.at("context");
  Figures figures;
  figures.heading = std::filesystem::path(context.value("executable", "benchmarks")).filename();
  figures.introduction = {fmt::format("Measured on {} ({} processors, {} MHz), {}.",
                                      context.value("host_name", "?"), context.value("num_cpus", 0),
                                      context.value("mhz_per_cpu", 0),
                                      context.value("date", "no date"))};
  std::vector<std::string> titles;
  std::map<std::string, Measured> measured;
  for (const ordered_json& benchmark : file.at("benchmarks")) {
    // Aggregates (mean, stddev) repeat what the iterations say; a failed one has no figures.
    if (benchmark.value("run_type", "iteration") != "iteration") continue;
    if (benchmark.value("error_occurred", false)) continue;
    const std::string name = benchmark.at("name");
    const std::string family = name.substr(0, name.find('/'));
    const Measure measure = measure_of(benchmark);
    std::string label = measure.label;
    if (std::string(measure.counter) == "real_time") {
      label += ", " + benchmark.value("time_unit", std::string("ns"));
    }
    const std::string title = family + ", " + label;
    if (measured.count(title) == 0) {
      titles.push_back(title);
      measured[title] = {.title = title, .label = label, .categories = {}, .values = {}};
    }
    measured[title].add(short_name(name, family),
                        benchmark.at(measure.counter).get<double>() / measure.unit);
  }
  for (const std::string& title : titles) figures.charts.emplace_back(to_chart(measured[title]));
  return figures;
}

Figures of_peers(const ordered_json& file) {
  pages::BarChart chart{.title = "hanok's speed as a multiple of its peers'",
                        .values = {.label = "times as fast: median of the pairs, 10 to 90%"},
                        .reference = 1,
                        .reference_name = "as fast as the peer"};
  pages::BarChart::Bars bars;
  for (const ordered_json& row : file.at("rows")) {
    chart.categories.push_back(
        fmt::format("{} {}, batch {}: {}", row.at("model").get<std::string>(),
                    row.at("work").get<std::string>(), row.at("batch").get<int>(),
                    row.at("peer").get<std::string>()));
    const ordered_json& ratio = row.at("ratio");
    bars.values.push_back(ratio.at("median"));
    bars.low.push_back(ratio.at("low"));
    bars.high.push_back(ratio.at("high"));
  }
  for (const double high : bars.high) {
    if (high > kLongestRatio) chart.values.high = kLongestRatio;
  }
  chart.series = {bars};
  return {.heading = "Beside other engines",
          .introduction = {file.at("conditions").get<std::string>()},
          .charts = {chart}};
}

/// The named one, added where it is missing.
pages::Series& series_of(std::vector<pages::Series>& all, const std::string& name) {
  for (pages::Series& series : all) {
    if (series.name == name) return series;
  }
  return all.emplace_back(pages::Series{.name = name});
}

Figures of_accuracy(const ordered_json& file) {
  std::vector<pages::ScatterChart> charts;
  for (const ordered_json& row : file.at("accuracy")) {
    const std::string title =
        fmt::format("Speed and error: {}, batch {}", row.at("model").get<std::string>(),
                    row.at("batch").get<int>());
    if (charts.empty() || charts.back().title != title) {
      charts.push_back({.title = title,
                        .x = {.label = "images/s"},
                        .y = {.label = "error over the logits' rms", .logarithmic = true}});
    }
    pages::Series& series = series_of(charts.back().series, row.at("engine").get<std::string>());
    series.x.push_back(row.at("images_per_second"));
    series.y.push_back(row.at("error"));
    series.labels.push_back(row.at("precision").get<std::string>());
  }
  return {.heading = "Speed and error",
          .introduction = {file.at("conditions").get<std::string>()},
          .charts = {charts.begin(), charts.end()}};
}

/// A tenth of the least value, ten times the largest, in powers of ten.
void widen(pages::Axis& axis, double value) {
  if (!std::isfinite(value) || value <= 0) return;
  const double low = std::pow(10.0, std::floor(std::log10(value)));
  axis.low = axis.low == 0 ? low : std::min(axis.low, low);
  axis.high = std::max(axis.high, 10 * low);
}

Figures of_convolutions(const ordered_json& file) {
  Figures figures{.heading = "Error of convolutions",
                  .introduction = {file.at("conditions").get<std::string>(),
                                   "Below the line integers are more accurate than bf16."},
                  .charts = {}};
  for (const auto& [measure, words] : {std::pair{"rms", "rms"}, {"max", "largest"}}) {
    pages::ScatterChart chart{
        .title = fmt::format("Convolutions: {} error over the result's rms", words),
        .x = {.label = "direct, operands in bf16", .logarithmic = true},
        .y = {.label = "in 16-bit integers", .logarithmic = true},
        .series = {},
        .diagonal = true};
    for (const ordered_json& row : file.at("convolutions")) {
      if (!row.at("integers").get<bool>()) continue;
      const double x = number_of(row.at("bf16").at(measure));
      const double y = number_of(row.at("int16").at(measure));
      pages::Series& series = series_of(chart.series, row.at("pass").get<std::string>());
      series.x.push_back(x);
      series.y.push_back(y);
      widen(chart.x, x);
      widen(chart.x, y);
    }
    chart.y.low = chart.x.low;
    chart.y.high = chart.x.high;
    if (!chart.series.empty()) figures.charts.emplace_back(std::move(chart));
  }
  return figures;
}

Figures of_logits(const ordered_json& file) {
  pages::BarChart chart{.title = "Error over the logits' rms", .values = {.label = "rms"}};
  pages::BarChart::Bars bars;
  for (const ordered_json& row : file.at("logits")) {
    chart.categories.push_back(row.at("name"));
    bars.values.push_back(number_of(row.at("error").at("rms")));
  }
  chart.series = {bars};
  return {.heading = "Error of a network",
          .introduction = {file.at("conditions").get<std::string>()},
          .charts = {chart}};
}

Figures of_lines(const ordered_json& file) {
  Figures figures{.heading = "Training",
                  .introduction = {file.at("conditions").get<std::string>()},
                  .charts = {}};
  for (const ordered_json& row : file.at("lines")) {
    pages::LineChart chart{
        .title = row.at("title"), .x = {.label = row.at("x")}, .y = {.label = row.at("y")}};
    for (const ordered_json& series : row.at("series")) {
      chart.series.push_back({.name = series.at("name"),
                              .x = series.at("x"),
                              .y = series.at("y"),
                              .dashed = series.at("dashed"),
                              .low = series.at("low"),
                              .high = series.at("high")});
    }
    figures.charts.emplace_back(std::move(chart));
  }
  return figures;
}

}  // namespace

Figures read_figures(const ordered_json& file) {
  try {
    if (file.contains("benchmarks")) return of_google_benchmark(file);
    if (file.contains("rows")) return of_peers(file);
    if (file.contains("accuracy")) return of_accuracy(file);
    if (file.contains("convolutions")) return of_convolutions(file);
    if (file.contains("logits")) return of_logits(file);
    if (file.contains("lines")) return of_lines(file);
  } catch (const ordered_json::exception& error) {
    throw FormatError(fmt::format("lacks what a chart needs: {}", error.what()));
  }
  throw FormatError(
      "is neither Google Benchmark's JSON nor figures that the programs of bench save");
}

pages::Page benchmark_page(const std::vector<Figures>& files) {
  pages::Page page{.title = "Benchmarks"};
  for (const Figures& file : files) {
    page.blocks.emplace_back(
        pages::Section{.id = fmt::format("file-{}", page.blocks.size()), .title = file.heading});
    for (const std::string& text : file.introduction) {
      page.blocks.emplace_back(pages::Paragraph{.text = text});
    }
    for (const pages::Chart& chart : file.charts) {
      page.blocks.emplace_back(pages::Figure{.chart = chart});
    }
  }
  return page;
}

}  // namespace hanok::bench
