// Counts by class and group, and how the photographs' facts are distributed.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <set>

#include "hanok/apps/cli/words.h"
#include "hanok/apps/data_report/page_sections.h"
#include "hanok/apps/statistics/quantile.h"

namespace hanok::data_report {
namespace {

using pages::Tone;

constexpr std::size_t kLines = 8;  // classes that one chart can show
constexpr int kBins = 24;

pages::Table count_table(const DataPageInput& input) {
  pages::Table table{.caption = "Images and groups of each class",
                     .columns = {"class", "images", "share"}};
  if (input.dataset.has_groups) table.columns.emplace_back("groups");
  for (const ClassCount& count : input.findings.counts) {
    table.rows.push_back({count.name, training::with_commas(count.images),
                          fmt::format("{:.1f}%", 100 * count.share)});
    if (input.dataset.has_groups) table.rows.back().push_back(training::with_commas(count.groups));
  }
  return table;
}

pages::Figure count_chart(const DataPageInput& input) {
  pages::BarChart chart{.title = "Photographs of each class"};
  chart.values.label = "photographs";
  pages::BarChart::Bars bars;
  for (const ClassCount& count : input.findings.counts) {
    chart.categories.push_back(count.name);
    bars.values.push_back(static_cast<double>(count.images));
  }
  chart.series.push_back(std::move(bars));
  return {.chart = std::move(chart)};
}

/// Mask and sex down, age across.
pages::Figure joint_figure(const data::Dataset& dataset) {
  const JointTable table = competition_table(dataset);
  pages::HeatMap map{.title = "Mask by sex by age",
                     .row_label = "mask and sex",
                     .column_label = "age",
                     .columns = {"<30", "30-59", ">=60"}};
  const char* masks[] = {"worn", "incorrect", "not worn"};
  const char* sexes[] = {"male", "female"};
  for (std::size_t mask = 0; mask < 3; ++mask) {
    for (std::size_t sex = 0; sex < 2; ++sex) {
      map.rows.push_back(fmt::format("{}, {}", masks[mask], sexes[sex]));
      map.values.emplace_back();
      for (const std::int64_t count : table[mask][sex]) {
        map.values.back().push_back(static_cast<double>(count));
      }
    }
  }
  return {.chart = std::move(map), .caption = "Photographs of each of the 18 classes."};
}

void add_groups(Blocks& blocks, const data::Dataset& dataset) {
  if (!dataset.has_groups) {
    blocks.emplace_back(pages::Paragraph{"Groups: none; every photograph is a group of its own."});
    return;
  }
  std::set<std::string> groups;
  for (const data::Sample& sample : dataset.samples) groups.insert(sample.group);
  blocks.emplace_back(pages::Paragraph{
      fmt::format("Groups never cross folds: {} of {} photographs, by {}.",
                  training::counted(groups.size(), "group", "groups"),
                  training::with_commas(static_cast<std::int64_t>(dataset.samples.size())),
                  dataset.grouped_by)});
  pages::Table table{.caption = "Photographs that a group has of each class",
                     .columns = {"photographs", "groups"},
                     .shown = 12};
  for (const auto& [pattern, count] : group_patterns(dataset)) {
    table.rows.push_back({pattern, training::with_commas(count)});
  }
  blocks.emplace_back(std::move(table));
}

/// What is charted of each photograph.
struct Fact {
  const char* name;
  const char* unit;
  double (*value)(const ImageFacts&);
  bool logarithmic;
};
const Fact kFacts[] = {
    {"shorter side", "pixels",
     [](const ImageFacts& f) { return static_cast<double>(std::min(f.width, f.height)); }, true},
    {"width / height", "",
     [](const ImageFacts& f) {
       return static_cast<double>(f.width) / static_cast<double>(f.height);
     },
     false},
    {"file size", "kB", [](const ImageFacts& f) { return static_cast<double>(f.bytes) / 1000; },
     true},
    {"brightness", "0..255", [](const ImageFacts& f) { return double{f.brightness}; }, false},
    {"contrast", "standard deviation of the brightness",
     [](const ImageFacts& f) { return double{f.contrast}; }, false},
    {"sharpness", "variance of the Laplacian at 128x128",
     [](const ImageFacts& f) { return double{f.sharpness}; }, true},
};

/// "12.3", "1,230": three digits.
std::string short_number(double value) {
  if (value >= 1000) return training::with_commas(static_cast<std::int64_t>(std::llround(value)));
  return fmt::format("{:.3g}", value);
}

/// One line a class: the share of its photographs in each of kBins bins.
pages::Figure histogram(const Fact& fact, const std::vector<Distribution>& classes, double low,
                        double high) {
  constexpr double kLeastOfLogarithm = 1e-3;  // values below it, 0 too, stand in the first bin
  if (fact.logarithmic) low = std::max(low, kLeastOfLogarithm);
  pages::LineChart chart{.title = fact.name};
  chart.x = {.label = fact.unit, .logarithmic = fact.logarithmic, .low = low, .high = high};
  chart.y = {.label = "% of the class"};
  const auto scale = [&](double value) {
    return fact.logarithmic ? std::log(std::max(value, kLeastOfLogarithm)) : value;
  };
  const double width = (scale(high) - scale(low)) / kBins;
  for (const Distribution& each : classes) {
    pages::Series line{.name = each.class_name};
    std::vector<double> counts(kBins, 0);
    for (const double value : each.values) {
      const double bin = std::clamp((scale(value) - scale(low)) / width, 0.0, kBins - 1.0);
      counts[static_cast<std::size_t>(bin)] += 100.0 / static_cast<double>(each.values.size());
    }
    for (int bin = 0; bin < kBins; ++bin) {
      const double middle = scale(low) + (bin + 0.5) * width;
      line.x.push_back(fact.logarithmic ? std::exp(middle) : middle);
      line.y.push_back(counts[static_cast<std::size_t>(bin)]);
    }
    chart.series.push_back(std::move(line));
  }
  return {.chart = std::move(chart)};
}

std::vector<double> all_values(const std::vector<Distribution>& classes) {
  std::vector<double> values;
  for (const Distribution& each : classes) {
    values.insert(values.end(), each.values.begin(), each.values.end());
  }
  return values;
}

void add_fact(Blocks& blocks, pages::Table& medians, const DataPageInput& input, const Fact& fact) {
  std::vector<Distribution> classes = distributions(input.dataset, input.facts, fact.value);
  const std::vector<double> values = all_values(classes);
  if (values.empty()) return;
  medians.columns.emplace_back(fact.name);
  for (std::size_t i = 0; i < classes.size(); ++i) {
    if (medians.rows.size() <= i) medians.rows.push_back({classes[i].class_name});
    medians.rows[i].push_back(
        fmt::format("{} ({} - {})", short_number(statistics::quantile(classes[i].values, 0.5)),
                    short_number(statistics::quantile(classes[i].values, 0.05)),
                    short_number(statistics::quantile(classes[i].values, 0.95))));
  }
  // Single extremes would squeeze all others into a few bins.
  const double low = statistics::quantile(values, 0.005);
  const double high = statistics::quantile(values, 0.995);
  if (!(high > low * 1.001 + 1e-6)) return;
  if (classes.size() > kLines) classes = {{.class_name = "all classes", .values = values}};
  blocks.emplace_back(histogram(fact, classes, low, high));
}

}  // namespace

Blocks counts_section(const DataPageInput& input) {
  const data::Dataset& dataset = input.dataset;
  Blocks blocks = {pages::Section{"classes", "Classes and groups"}};
  const double ratio = imbalance(input.findings.counts);
  const std::string sentence = fmt::format(
      "{} in {} classes; the largest class has {:.1f} times the photographs of the "
      "smallest",
      training::counted(dataset.samples.size(), "photograph", "photographs"),
      dataset.class_names.size(), ratio);
  constexpr double kImbalanced = 3;
  blocks.emplace_back(pages::Paragraph{
      ratio < kImbalanced
          ? sentence + "."
          : sentence + ": go by the macro F1, and try --class-weights balanced or --sampler over.",
      Tone::Finding});
  std::vector<std::string> empty;
  for (const ClassCount& count : input.findings.counts) {
    if (count.images == 0) empty.push_back(count.name);
  }
  if (!empty.empty()) {
    blocks.emplace_back(pages::Paragraph{
        fmt::format("{} no photograph, such as '{}': a network cannot learn what it never sees.",
                    training::counted(empty.size(), "class has", "classes have"), empty.front()),
        Tone::Warning});
  }
  if (input.findings.counts.size() <= 40) blocks.emplace_back(count_chart(input));
  blocks.emplace_back(count_table(input));
  if (dataset.layout == "competition") blocks.emplace_back(joint_figure(dataset));
  add_groups(blocks, dataset);
  return blocks;
}

Blocks facts_section(const DataPageInput& input) {
  Blocks blocks = {
      pages::Section{"facts", "Sizes and light"},
      pages::Paragraph{"Where the classes' lines differ, a network can tell the classes apart "
                       "without looking at what is in the photographs."}};
  pages::Table medians{.caption = "Median, and the range of the middle 90%, of each class",
                       .columns = {"class"}};
  Blocks charts;
  for (const Fact& fact : kFacts) add_fact(charts, medians, input, fact);
  if (medians.rows.empty()) return {};
  blocks.emplace_back(std::move(medians));
  blocks.insert(blocks.end(), charts.begin(), charts.end());
  return blocks;
}

}  // namespace hanok::data_report
