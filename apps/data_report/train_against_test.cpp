#include "hanok/apps/data_report/train_against_test.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <functional>
#include <limits>
#include <numeric>
#include <set>
#include <utility>

#include "hanok/apps/data_report/step_progress.h"
#include "hanok/apps/prediction/image_list.h"
#include "hanok/apps/statistics/out_of_fold.h"
#include "hanok/apps/statistics/roc.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data_report {
namespace {

constexpr int kCells = 4;            // of a side: mean colours of the 32x32 picture's parts
constexpr std::size_t kFewest = 10;  // photographs of a side

/// Both sides in one list: train first.
struct Both {
  std::vector<const ImageFacts*> facts{};
  statistics::Target target{.labels = {}, .groups = {}, .classes = 2};
};

/// Persons on both sides stay in one fold where both sides name persons; other groups are files or
/// numbers, which mean nothing on the other side.
void add(Both& both, const Photographs& photographs, std::int64_t label, bool persons) {
  for (std::size_t i = 0; i < photographs.facts.size(); ++i) {
    if (!photographs.facts[i].problem.empty()) continue;
    both.facts.push_back(&photographs.facts[i]);
    both.target.labels.push_back(label);
    const std::string& group = photographs.dataset.samples[i].group;
    both.target.groups.push_back(persons ? group : fmt::format("{}/{}", label, group));
  }
}

struct NamedFact {
  const char* name;
  std::function<double(const ImageFacts&)> value;
};

const std::vector<NamedFact>& named_facts() {
  static const std::vector<NamedFact> kFacts = {
      {"bytes of the file", [](const ImageFacts& f) { return static_cast<double>(f.bytes); }},
      {"width", [](const ImageFacts& f) { return f.width; }},
      {"height", [](const ImageFacts& f) { return f.height; }},
      {"width / height",
       [](const ImageFacts& f) { return static_cast<double>(f.width) / std::max(1, f.height); }},
      {"JPEG quality", [](const ImageFacts& f) { return f.jpeg_quality; }},
      {"mean red", [](const ImageFacts& f) { return f.mean_colour[0]; }},
      {"mean green", [](const ImageFacts& f) { return f.mean_colour[1]; }},
      {"mean blue", [](const ImageFacts& f) { return f.mean_colour[2]; }},
      {"border's red", [](const ImageFacts& f) { return f.border_colour[0]; }},
      {"border's green", [](const ImageFacts& f) { return f.border_colour[1]; }},
      {"border's blue", [](const ImageFacts& f) { return f.border_colour[2]; }},
      {"brightness", [](const ImageFacts& f) { return f.brightness; }},
      {"contrast", [](const ImageFacts& f) { return f.contrast; }},
      {"sharpness", [](const ImageFacts& f) { return f.sharpness; }}};
  return kFacts;
}

/// Mean of a channel over one of kCells x kCells parts.
float cell_mean(const data::Image& image, int cell_x, int cell_y, int channel) {
  double sum = 0;
  std::int64_t count = 0;
  for (int y = cell_y * image.height / kCells; y < (cell_y + 1) * image.height / kCells; ++y) {
    const std::uint8_t* row = image.row(y);
    for (int x = cell_x * image.width / kCells; x < (cell_x + 1) * image.width / kCells; ++x) {
      sum += row[3 * x + channel];
      ++count;
    }
  }
  return count > 0 ? static_cast<float>(sum / static_cast<double>(count)) : 0;
}

statistics::Columns columns_of(const Both& both) {
  statistics::Columns columns;
  for (const NamedFact& fact : named_facts()) {
    std::vector<float>& column = columns.values.emplace_back();
    for (const ImageFacts* facts : both.facts) {
      column.push_back(static_cast<float>(fact.value(*facts)));
    }
  }
  std::vector<std::string> tables;
  for (const ImageFacts* facts : both.facts) {
    tables.push_back(fmt::format("{} {} {}", facts->format, facts->mode, facts->jpeg_tables));
  }
  columns.values.push_back(statistics::categories(tables));
  for (int cell = 0; cell < kCells * kCells; ++cell) {
    for (int channel = 0; channel < 3; ++channel) {
      std::vector<float>& column = columns.values.emplace_back();
      for (const ImageFacts* facts : both.facts) {
        column.push_back(cell_mean(facts->small, cell % kCells, cell / kCells, channel));
      }
    }
  }
  return columns;
}

statistics::Scored scored_by(const Both& both, const std::vector<std::size_t>& rows,
                             const std::function<double(std::size_t)>& score) {
  statistics::Scored scored;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    scored.scores.push_back(score(i));
    scored.positive.push_back(both.target.labels[rows[i]] == 1);
    scored.groups.push_back(both.target.groups[rows[i]]);
  }
  return scored;
}

std::vector<FactDifference> differences(const Both& both) {
  std::vector<std::size_t> rows(both.facts.size());
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  std::vector<FactDifference> differences;
  for (const NamedFact& fact : named_facts()) {
    FactDifference difference{.fact = fact.name};
    std::array<double, 2> sums{};
    std::array<double, 2> counts{};
    for (const std::size_t i : rows) {
      const auto side = static_cast<std::size_t>(both.target.labels[i]);
      sums[side] += fact.value(*both.facts[i]);
      counts[side] += 1;
    }
    difference.mean_train = sums[0] / counts[0];
    difference.mean_test = sums[1] / counts[1];
    difference.auc = statistics::roc_auc(
        scored_by(both, rows, [&](std::size_t i) { return fact.value(*both.facts[i]); }));
    differences.push_back(std::move(difference));
  }
  std::stable_sort(differences.begin(), differences.end(),
                   [](const FactDifference& a, const FactDifference& b) {
                     return std::abs(a.auc - 0.5) > std::abs(b.auc - 0.5);
                   });
  return differences;
}

/// Which side a forest takes each photograph for.
statistics::OutOfFold answer(const Both& both, const AgainstOptions& options) {
  const std::vector<statistics::FoldRows> folds =
      statistics::grouped_folds(both.target, options.folds, options.seed);
  statistics::ForestOptions forest{.seed = options.seed};
  const StepProgress progress(options.reporter,
                              {.label = "train against test",
                               .total = static_cast<std::int64_t>(folds.size()) * forest.trees,
                               .unit = "trees"});
  forest.on_tree = progress.on_step();
  return statistics::predict_out_of_fold(columns_of(both), both.target, folds, forest);
}

std::vector<std::string> shared_groups(const data::Dataset& train, const data::Dataset& test) {
  if (!train.has_groups || !test.has_groups) return {};
  std::set<std::string> known;
  for (const data::Sample& sample : train.samples) known.insert(sample.group);
  std::set<std::string> shared;
  for (const data::Sample& sample : test.samples) {
    if (known.count(sample.group) != 0) shared.insert(sample.group);
  }
  return {shared.begin(), shared.end()};
}

/// Of the photographs, as the user knows them: those of a list have no folder above them.
std::vector<std::string> names_of(const data::Dataset& dataset) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
    names.push_back(dataset.root.empty() ? dataset.full_path(i) : dataset.samples[i].path);
  }
  return names;
}

std::string verdict_of(const AgainstReport& report) {
  if (std::isnan(report.auc)) {
    return fmt::format(
        "Not compared: {} and {} photographs; at least {} of each side, in two groups, are needed.",
        report.train, report.test, kFewest);
  }
  const std::string auc = fmt::format("AUC {:.2f} [{:.2f}, {:.2f}]", report.auc,
                                      report.interval.low, report.interval.high);
  constexpr double kAlike = 0.6;  // below it a difference is small, however certain
  if (report.interval.low <= 0.5) {
    return fmt::format("Train and test look alike: {} where 0.5 is chance.", auc);
  }
  const FactDifference& most = report.facts.front();
  const std::string how = fmt::format("most by {} (mean {:.4g} in train, {:.4g} in test)",
                                      most.fact, most.mean_train, most.mean_test);
  if (report.auc < kAlike) {
    return fmt::format("Train and test differ slightly: {}, {}.", auc, how);
  }
  return fmt::format("Train and test differ: {}, {}.", auc, how);
}

}  // namespace

AgainstReport train_against_test(const Photographs& train, const Photographs& test,
                                 const AgainstOptions& options) {
  AgainstReport report{.train_names = names_of(train.dataset),
                       .test_names = names_of(test.dataset),
                       .shared_groups = shared_groups(train.dataset, test.dataset)};
  report.auc = std::numeric_limits<double>::quiet_NaN();
  Both both;
  const bool persons = train.dataset.has_groups && test.dataset.has_groups;
  add(both, train, 0, persons);
  report.train = static_cast<std::int64_t>(both.facts.size());
  add(both, test, 1, persons);
  report.test = static_cast<std::int64_t>(both.facts.size()) - report.train;
  report.duplicates = near_duplicates_between(train.facts, test.facts);
  std::array<std::set<std::string>, 2> groups;
  for (std::size_t i = 0; i < both.facts.size(); ++i) {
    groups[static_cast<std::size_t>(both.target.labels[i])].insert(both.target.groups[i]);
  }
  const auto fewest = static_cast<std::int64_t>(kFewest);
  const bool enough = std::min(report.train, report.test) >= fewest &&
                      std::min(groups[0].size(), groups[1].size()) >= 2;
  if (enough) {
    report.facts = differences(both);
    const statistics::OutOfFold answers = answer(both, options);
    const statistics::Scored scored =
        scored_by(both, answers.rows, [&](std::size_t i) { return answers.probabilities[i][1]; });
    report.auc = statistics::roc_auc(scored);
    report.interval = statistics::auc_interval(scored, {.seed = options.seed});
  }
  report.verdict = verdict_of(report);
  return report;
}

data::Dataset load_other_side(const std::string& path) {
  // A folder of class folders, a table or the competition's layout has groups; others are lists. A
  // damaged table is an error: without it the persons would be lost.
  try {
    return data::load_dataset(path);
  } catch (const ValueError&) {
  } catch (const FormatError& error) {
    throw FormatError(fmt::format("--against: {}", error.what()));
  }
  data::Dataset dataset = training::list_images({path}).dataset;
  for (data::Sample& sample : dataset.samples) {
    if (sample.group.empty()) sample.group = sample.path;
  }
  return dataset;
}

std::vector<pages::Block> against_blocks(const AgainstReport& report) {
  std::vector<pages::Block> blocks;
  blocks.emplace_back(pages::Section{.id = "against", .title = "Train against test"});
  const bool differ = !std::isnan(report.auc) && report.interval.low > 0.5;
  blocks.emplace_back(pages::Paragraph{
      .text = report.verdict, .tone = differ ? pages::Tone::Warning : pages::Tone::Finding});
  blocks.emplace_back(pages::Paragraph{
      .text = fmt::format("A random forest tells {} photographs of train from {} of test by their "
                          "facts and coarse colours, out of fold, groups kept together. At an AUC "
                          "of 0.5 it guesses, at 1 it is always right.",
                          report.train, report.test)});
  if (!report.duplicates.empty()) {
    blocks.emplace_back(pages::Paragraph{
        .text = fmt::format("{} pair{} of near duplicates: one photograph in train, one in the "
                            "test, where it is no test.",
                            report.duplicates.size(), report.duplicates.size() == 1 ? "" : "s"),
        .tone = pages::Tone::Warning});
  }
  if (!report.shared_groups.empty()) {
    blocks.emplace_back(pages::Paragraph{
        .text = fmt::format("{} groups (persons) have photographs on both sides, such as '{}'.",
                            report.shared_groups.size(), report.shared_groups.front()),
        .tone = pages::Tone::Warning});
  }
  if (!report.facts.empty()) {
    pages::BarChart chart;
    chart.title = "How far each fact alone tells the two apart";
    chart.values.label = "AUC of test having the higher value";
    chart.values.high = 1;
    chart.reference = 0.5;
    chart.reference_name = "no difference";
    chart.series.resize(1);
    pages::Table table;
    table.caption = "What differs most";
    table.columns = {"fact", "AUC", "mean in train", "mean in test"};
    for (const FactDifference& fact : report.facts) {
      chart.categories.push_back(fact.fact);
      chart.series[0].values.push_back(fact.auc);
      table.rows.push_back({fact.fact, fmt::format("{:.3f}", fact.auc),
                            fmt::format("{:.4g}", fact.mean_train),
                            fmt::format("{:.4g}", fact.mean_test)});
    }
    pages::Figure figure;
    figure.chart = chart;
    figure.caption = "Above 0.5 the test's values are higher, below it lower.";
    blocks.emplace_back(std::move(figure));
    blocks.emplace_back(std::move(table));
  }
  if (report.duplicates.empty()) return blocks;
  pages::Table pairs;
  pairs.caption = "Near duplicates on both sides";
  pairs.columns = {"train", "test", "bits that differ", "correlation"};
  pairs.text_columns = {1};
  for (const NearPair& pair : report.duplicates) {
    pairs.rows.push_back({report.train_names[pair.first], report.test_names[pair.second],
                          std::to_string(pair.bits), fmt::format("{:.3f}", pair.correlation)});
  }
  blocks.emplace_back(std::move(pairs));
  return blocks;
}

}  // namespace hanok::data_report
