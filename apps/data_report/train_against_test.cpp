#include "hanok/apps/data_report/train_against_test.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <functional>
#include <set>

#include "hanok/apps/statistics/out_of_fold.h"
#include "hanok/apps/statistics/roc.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data_report {
namespace {

/// A lower AUC is not worth a warning, however sure it is.
constexpr double kAlike = 0.6;

struct Fact {
  const char* name;
  std::function<double(const ImageFacts&)> value;
};

const std::vector<Fact>& facts() {
  using F = ImageFacts;
  static const std::vector<Fact> all = {
      {"bytes of the file", [](const F& f) { return static_cast<double>(f.bytes); }},
      {"width", [](const F& f) { return static_cast<double>(f.width); }},
      {"height", [](const F& f) { return static_cast<double>(f.height); }},
      {"width / height",
       [](const F& f) { return static_cast<double>(f.width) / std::max(1, f.height); }},
      {"JPEG quality", [](const F& f) { return static_cast<double>(f.jpeg_quality); }},
      {"brightness", [](const F& f) { return static_cast<double>(f.brightness); }},
      {"contrast", [](const F& f) { return static_cast<double>(f.contrast); }},
      {"sharpness", [](const F& f) { return static_cast<double>(f.sharpness); }},
      {"red", [](const F& f) { return static_cast<double>(f.mean_colour[0]); }},
      {"green", [](const F& f) { return static_cast<double>(f.mean_colour[1]); }},
      {"blue", [](const F& f) { return static_cast<double>(f.mean_colour[2]); }},
      {"red of the border", [](const F& f) { return static_cast<double>(f.border_colour[0]); }},
      {"green of the border", [](const F& f) { return static_cast<double>(f.border_colour[1]); }},
      {"blue of the border", [](const F& f) { return static_cast<double>(f.border_colour[2]); }},
  };
  return all;
}

/// Both sets in one list: the first set's photographs are class 0, the second's 1.
struct Pooled {
  statistics::Target target{.labels = {}, .groups = {}, .classes = 2};
  std::vector<const ImageFacts*> facts{};
};

void add(Pooled& pooled, const MeasuredSet& set, std::int64_t label, bool by_name) {
  for (std::size_t i = 0; i < set.facts.size(); ++i) {
    if (!set.facts[i].problem.empty()) continue;
    const std::string& group = set.dataset.samples[i].group;
    pooled.target.labels.push_back(label);
    // A person on both sides is one group; else names of the two sets mean nothing to each other.
    pooled.target.groups.push_back(by_name ? group : fmt::format("{}:{}", label, group));
    pooled.facts.push_back(&set.facts[i]);
  }
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::vector<FactDifference> differences(const Pooled& pooled) {
  std::vector<FactDifference> all;
  for (const Fact& fact : facts()) {
    statistics::Scored scored;
    std::vector<double> sides[2];
    for (std::size_t i = 0; i < pooled.facts.size(); ++i) {
      const double value = fact.value(*pooled.facts[i]);
      scored.scores.push_back(value);
      scored.positive.push_back(pooled.target.labels[i] == 1);
      sides[pooled.target.labels[i]].push_back(value);
    }
    const double auc = statistics::roc_auc(scored);
    all.push_back({.fact = fact.name,
                   .auc = std::max(auc, 1 - auc),
                   .first_median = median(sides[0]),
                   .second_median = median(sides[1])});
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const FactDifference& a, const FactDifference& b) { return a.auc > b.auc; });
  return all;
}

std::vector<std::string> groups_on_both_sides(const MeasuredSet& first, const MeasuredSet& second) {
  std::set<std::string> known;
  for (const data::Sample& sample : first.dataset.samples) known.insert(sample.group);
  std::set<std::string> shared;
  for (const data::Sample& sample : second.dataset.samples) {
    if (known.count(sample.group) != 0) shared.insert(sample.group);
  }
  return {shared.begin(), shared.end()};
}

pages::Tile tile(const MeasuredSet& set, std::size_t i, const std::string& side) {
  pages::Tile tile{.title = set.dataset.samples[i].path, .lines = {side}};
  try {
    tile.picture = pages::thumbnail(data::decode_image_file(set.dataset.full_path(i)));
  } catch (const Error&) {
    tile.lines.emplace_back("cannot be read");
  }
  return tile;
}

}  // namespace

SetComparison compare_sets(const MeasuredSet& first, const MeasuredSet& second,
                           const SetComparisonOptions& options) {
  const bool by_name = first.dataset.has_groups && second.dataset.has_groups;
  Pooled pooled;
  add(pooled, first, 0, by_name);
  SetComparison out{.first = static_cast<std::int64_t>(pooled.facts.size())};
  add(pooled, second, 1, by_name);
  out.second = static_cast<std::int64_t>(pooled.facts.size()) - out.first;
  if (out.first < 2 || out.second < 2) {
    throw ValueError(
        fmt::format("{} and {} cannot be compared: {} and {} photographs can be decoded, two of "
                    "each are needed",
                    first.dataset.root, second.dataset.root, out.first, out.second));
  }
  statistics::Columns columns;
  for (const Fact& fact : facts()) {
    columns.values.emplace_back();
    for (const ImageFacts* one : pooled.facts) {
      columns.values.back().push_back(static_cast<float>(fact.value(*one)));
    }
  }
  const statistics::OutOfFold answers = statistics::predict_out_of_fold(
      columns, pooled.target, statistics::grouped_folds(pooled.target, options.folds, options.seed),
      {.seed = options.seed});
  statistics::Scored scored;
  for (std::size_t i = 0; i < answers.rows.size(); ++i) {
    scored.scores.push_back(answers.probabilities[i][1]);
    scored.positive.push_back(pooled.target.labels[answers.rows[i]] == 1);
    scored.groups.push_back(pooled.target.groups[answers.rows[i]]);
  }
  out.auc = statistics::roc_auc(scored);
  out.interval = statistics::auc_interval(scored, {.seed = options.seed});
  out.facts = differences(pooled);
  out.near_duplicates = near_duplicates_between(first.facts, second.facts);
  if (by_name) out.shared_groups = groups_on_both_sides(first, second);
  return out;
}

std::string verdict(const SetComparison& comparison) {
  const std::string auc = fmt::format("AUC {:.2f} [{:.2f}, {:.2f}]", comparison.auc,
                                      comparison.interval.low, comparison.interval.high);
  if (comparison.interval.low <= 0.5 || comparison.auc < kAlike) {
    return fmt::format(
        "The two sets look alike: files and colours tell a photograph of one from one of the other "
        "with {}; 0.5 is a coin's.",
        auc);
  }
  const FactDifference& most = comparison.facts.front();
  return fmt::format(
      "The two sets differ: files and colours tell a photograph of one from one of the other with "
      "{}; 0.5 is a coin's. What differs most is {}: the median is {:.4g} here and {:.4g} there. "
      "A validation score of one set says little about the other.",
      auc, most.fact, most.first_median, most.second_median);
}

std::vector<pages::Block> against_blocks(const SetComparison& comparison, const MeasuredSet& first,
                                         const MeasuredSet& second) {
  constexpr std::size_t kShownPairs = 12;
  const bool differ = verdict(comparison).rfind("The two sets differ", 0) == 0;
  std::vector<pages::Block> blocks;
  blocks.emplace_back(pages::Section{.id = "against", .title = "Against another set"});
  blocks.emplace_back(pages::Facts{
      .rows = {
          {"here", fmt::format("{}, {} photographs", first.dataset.root, comparison.first)},
          {"there", fmt::format("{}, {} photographs", second.dataset.root, comparison.second)}}});
  blocks.emplace_back(pages::Paragraph{
      .text = verdict(comparison), .tone = differ ? pages::Tone::Warning : pages::Tone::Finding});
  pages::BarChart chart{.title = "What tells the two sets apart",
                        .values = {.label = "AUC of the fact alone", .low = 0, .high = 1},
                        .series = {{}},
                        .reference = 0.5,
                        .reference_name = "nothing"};
  pages::Table table{.caption = "Medians of both sets",
                     .columns = {"fact", "AUC", "here", "there"}};
  for (const FactDifference& fact : comparison.facts) {
    chart.categories.push_back(fact.fact);
    chart.series[0].values.push_back(fact.auc);
    table.rows.push_back({fact.fact, fmt::format("{:.3f}", fact.auc),
                          fmt::format("{:.4g}", fact.first_median),
                          fmt::format("{:.4g}", fact.second_median)});
  }
  blocks.emplace_back(
      pages::Figure{.chart = chart,
                    .caption = "1 tells every photograph of one set from every one of the other."});
  blocks.emplace_back(table);
  if (!comparison.near_duplicates.empty()) {
    blocks.emplace_back(pages::Paragraph{
        .text =
            fmt::format("{} pairs of near duplicates have a photograph on each side: a score on "
                        "them is too good.",
                        comparison.near_duplicates.size()),
        .tone = pages::Tone::Warning});
    pages::Gallery gallery{.caption = "Near duplicates, here and there"};
    for (std::size_t i = 0; i < std::min(kShownPairs, comparison.near_duplicates.size()); ++i) {
      gallery.tiles.push_back(tile(first, comparison.near_duplicates[i].first, "here"));
      gallery.tiles.push_back(tile(second, comparison.near_duplicates[i].second, "there"));
    }
    blocks.emplace_back(gallery);
  }
  if (!comparison.shared_groups.empty()) {
    pages::Table groups{.caption = "Groups on both sides", .columns = {"group"}};
    for (const std::string& group : comparison.shared_groups) groups.rows.push_back({group});
    blocks.emplace_back(
        pages::Paragraph{.text = fmt::format("{} group{} (persons) have photographs on both sides.",
                                             comparison.shared_groups.size(),
                                             comparison.shared_groups.size() == 1 ? "" : "s"),
                         .tone = pages::Tone::Warning});
    blocks.emplace_back(groups);
  }
  return blocks;
}

}  // namespace hanok::data_report
