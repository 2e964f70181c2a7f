#include "hanok/apps/run_report/comparison_page.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <set>
#include <utility>

#include "hanok/apps/cli/progress.h"
#include "hanok/apps/run_report/calibration.h"
#include "hanok/apps/run_report/comparison.h"
#include "hanok/apps/run_report/sections.h"
#include "hanok/kernels/base/error.h"

namespace hanok::run_report {
namespace {

using training::FoldResult;
using Runs = std::vector<RunRecord>;
constexpr std::size_t kClassesDrawn = 20;

/// Runs of equal names get their paths.
void make_names_unique(Runs& runs) {
  std::map<std::string, int> times;
  for (const RunRecord& run : runs) ++times[run.name];
  for (RunRecord& run : runs) {
    if (times[run.name] > 1) run.name = run.path;
  }
}

/// The number of the run with the highest macro F1; the first run if none has a score.
std::size_t best_run(const Runs& runs) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < runs.size(); ++i) {
    const double score = runs[i].macro_f1();
    if (score > runs[best].macro_f1() || (std::isnan(runs[best].macro_f1()) && score >= 0)) {
      best = i;
    }
  }
  return best;
}

bool same_classes(const Runs& runs) {
  return std::all_of(runs.begin(), runs.end(), [&runs](const RunRecord& run) {
    return run.class_names() == runs.front().class_names();
  });
}

std::string ece_text(const RunRecord& run) {
  if (run.predictions.empty()) return "-";
  std::vector<ScoredAnswer> answers;
  for (const Prediction& p : run.predictions) answers.push_back({p.of_answer(), p.right()});
  return fmt::format("{:.4f}", calibration(answers).ece);
}

std::string score_text(double score) {
  return std::isnan(score) ? "-" : fmt::format("{:.4f}", score);
}

std::vector<Intervals> intervals_of(const Runs& runs) {
  std::vector<Intervals> out;
  for (const RunRecord& run : runs) out.push_back(score_intervals(run));
  return out;
}

pages::Table score_table(const Runs& runs, const std::vector<Intervals>& intervals) {
  pages::Table table{.caption = "Scores",
                     .columns = {"run", "macro F1", "of folds", "all images", "95% interval",
                                 "accuracy", "ECE", "folds", "time"}};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const RunRecord& run = runs[i];
    double seconds = 0;
    double low = 1;
    double high = 0;
    for (const FoldResult& fold : run.folds) {
      low = std::min(low, fold.confusion.macro_f1());
      high = std::max(high, fold.confusion.macro_f1());
      seconds += fold.seconds;
    }
    std::vector<std::string> row = {run.name, score_text(run.macro_f1())};
    if (!intervals[i]) {
      row.insert(row.end(), {"-", "-", "-", "-", "-"});
    } else {
      const nn::ConfusionMatrix all = training::pooled(run.folds);
      const statistics::Interval interval = intervals[i]->macro_f1;
      row.insert(row.end(), {fmt::format("{:.3f} to {:.3f}", low, high), score_text(all.macro_f1()),
                             fmt::format("{:.3f} to {:.3f}", interval.low, interval.high),
                             score_text(all.accuracy()), ece_text(run)});
    }
    row.push_back(fmt::format("{}/{}", run.folds.size(), run.planned.size()));
    row.push_back(training::duration_text(seconds));
    table.rows.push_back(std::move(row));
  }
  return table;
}

pages::Figure score_figure(const Runs& runs, const std::vector<Intervals>& intervals) {
  pages::BarChart chart;
  chart.title = "Macro F1 over all images together";
  chart.values.label = "macro F1";
  chart.values.high = 1;
  pages::BarChart::Bars bars;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (!intervals[i]) continue;
    chart.categories.push_back(runs[i].name);
    const statistics::Interval interval = intervals[i]->macro_f1;
    bars.values.push_back(training::pooled(runs[i].folds).macro_f1());
    bars.low.push_back(interval.low);
    bars.high.push_back(interval.high);
  }
  chart.series.push_back(std::move(bars));
  return {.chart = std::move(chart),
          .caption =
              "Whiskers are 95% intervals, each run by itself. Runs over the same images "
              "share their luck, so intervals that overlap do not mean equal runs: the "
              "paired differences above decide."};
}

/// Macro F1 of every fold; only for runs over the same folds.
pages::Table fold_table(const Runs& runs) {
  pages::Table table{.caption = "Macro F1 by fold", .columns = {"fold"}};
  std::set<int> folds;
  for (const RunRecord& run : runs) {
    table.columns.push_back(run.name);
    for (const FoldResult& fold : run.folds) folds.insert(fold.fold);
  }
  for (const int number : folds) {
    std::vector<std::string> row = {fmt::format("fold {}", number)};
    for (const RunRecord& run : runs) {
      const auto found =
          std::find_if(run.folds.begin(), run.folds.end(),
                       [number](const FoldResult& fold) { return fold.fold == number; });
      row.push_back(found == run.folds.end() ? "-" : score_text(found->confusion.macro_f1()));
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

Blocks result_section(const Runs& runs, std::size_t best, const std::vector<Intervals>& intervals) {
  Blocks out;
  out.push_back(pages::Section{.id = "result", .title = "Which run is better"});
  const double seeds = seed_deviation(runs);
  bool same_folds = true;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (i == best) continue;
    const Basis basis = basis_of(runs[i], runs[best]);
    same_folds = same_folds && basis == Basis::SameFolds;
    const bool decided =
        basis != Basis::OtherData && difference(runs[i], runs[best]).beyond_spread();
    out.push_back(pages::Paragraph{.text = verdict(runs[i], runs[best], seeds),
                                   .tone = basis == Basis::OtherData ? pages::Tone::Warning
                                           : decided                 ? pages::Tone::Finding
                                                                     : pages::Tone::Plain});
    if (basis == Basis::SameImages) {
      out.push_back(pages::Paragraph{.text = describe_basis(runs[best], runs[i]),
                                     .tone = pages::Tone::Warning});
    }
  }
  if (runs.size() > 2) {
    out.push_back(pages::Paragraph{
        .text = "With several comparisons one of them exceeds the spread by chance more easily: "
                "5% each, if there is no difference at all."});
  }
  for (const std::vector<std::size_t>& members : seeds_of_one_recipe(runs)) {
    std::vector<std::string> names;
    for (const std::size_t i : members) names.push_back(runs[i].name);
    out.push_back(pages::Paragraph{
        .text = fmt::format("{} are one recipe with different seeds.", fmt::join(names, ", "))});
  }
  out.push_back(score_table(runs, intervals));
  out.push_back(score_figure(runs, intervals));
  if (same_folds) out.push_back(fold_table(runs));
  return out;
}

Blocks settings_section(const Runs& runs) {
  Blocks out;
  out.push_back(pages::Section{.id = "settings", .title = "What differs"});
  const std::vector<DifferingOption> options = differing_options(runs);
  if (options.empty()) {
    out.push_back(pages::Paragraph{.text = "No option that changes the result differs."});
    return out;
  }
  pages::Table table{.caption = "Options that differ", .columns = {"option"}};
  for (const RunRecord& run : runs) {
    table.text_columns.push_back(table.columns.size());
    table.columns.push_back(run.name);
  }
  for (const DifferingOption& option : options) {
    std::vector<std::string> row = {"--" + option.name};
    for (const std::string& value : option.values) row.push_back(value.empty() ? "(none)" : value);
    table.rows.push_back(std::move(row));
  }
  out.push_back(std::move(table));
  return out;
}

Blocks curve_section(const Runs& runs) {
  Blocks out;
  out.push_back(pages::Section{.id = "curves", .title = "Curves"});
  struct Drawn {
    const char* title;
    const char* label;
    double training::EpochMetrics::*value;
  };
  for (const Drawn& drawn : {Drawn{"Validation loss", "loss", &training::EpochMetrics::val_loss},
                             Drawn{"Training loss", "loss", &training::EpochMetrics::loss},
                             Drawn{"Macro F1 of the validation images", "macro F1",
                                   &training::EpochMetrics::val_macro_f1}}) {
    pages::LineChart chart;
    chart.title = drawn.title;
    chart.x.label = "epoch";
    chart.y.label = drawn.label;
    for (const RunRecord& run : runs) {
      pages::Series series = mean_series(run, drawn.value, run.name);
      if (!series.x.empty()) chart.series.push_back(std::move(series));
    }
    if (chart.series.empty()) continue;
    out.push_back(pages::Figure{.chart = std::move(chart),
                                .caption = "Means of the folds; bands are their range."});
  }
  if (out.size() == 1) return {};
  return out;
}

/// Who has the highest F1 in how many classes.
std::string winners_text(const Runs& runs, const std::vector<std::vector<nn::ClassScore>>& scores) {
  std::vector<std::int64_t> wins(runs.size(), 0);
  std::int64_t ties = 0;
  for (std::size_t c = 0; c < runs.front().class_names().size(); ++c) {
    double highest = -1;
    std::vector<std::size_t> winners;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      if (scores[i][c].f1 > highest) winners.clear();
      if (scores[i][c].f1 >= highest) winners.push_back(i);
      highest = std::max(highest, scores[i][c].f1);
    }
    if (winners.size() > 1) {
      ++ties;
    } else {
      ++wins[winners.front()];
    }
  }
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    parts.push_back(fmt::format("{} in {}", runs[i].name, wins[i]));
  }
  return fmt::format("Highest F1: {} of {} classes{}.", fmt::join(parts, ", "),
                     runs.front().class_names().size(),
                     ties > 0 ? fmt::format("; {} ties", ties) : "");
}

Blocks class_section(const Runs& runs, std::size_t best, const std::vector<Intervals>& intervals) {
  if (!same_classes(runs)) return {};
  std::vector<std::vector<nn::ClassScore>> scores;
  for (const RunRecord& run : runs) {
    if (run.predictions.empty()) return {};
    scores.push_back(training::pooled(run.folds).per_class());
  }
  const std::vector<std::string>& names = runs.front().class_names();
  const bool pair = runs.size() == 2;
  const std::size_t other = best == 0 ? 1 : 0;
  std::vector<statistics::Interval> of_difference;
  if (pair && names.size() <= kClassesDrawn && basis_of(runs[0], runs[1]) != Basis::OtherData) {
    const std::vector<AnswersOfBoth> answers = answers_of_both(runs[other], runs[best]);
    if (!answers.empty()) {
      of_difference = difference_intervals(answers, static_cast<std::int64_t>(names.size()));
    }
  }
  pages::Table table{.caption = "F1 of each class over all folds", .columns = {"class", "images"}};
  pages::BarChart chart;
  chart.title = "F1 of each class";
  chart.values.label = "F1";
  chart.values.high = 1;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    table.columns.push_back(runs[i].name);
    pages::BarChart::Bars bars{.name = runs[i].name};
    for (std::size_t c = 0; c < names.size(); ++c) {
      const statistics::Interval interval = intervals[i]->classes[c].f1;
      bars.values.push_back(scores[i][c].f1);
      bars.low.push_back(interval.low);
      bars.high.push_back(interval.high);
    }
    chart.series.push_back(std::move(bars));
  }
  chart.categories = names;
  if (pair) table.columns.push_back(fmt::format("{} minus {}", runs[best].name, runs[other].name));
  if (!of_difference.empty()) table.columns.emplace_back("95% interval of the difference");
  std::vector<std::pair<double, std::vector<std::string>>> rows;
  for (std::size_t c = 0; c < names.size(); ++c) {
    std::vector<std::string> row = {names[c], std::to_string(scores[best][c].support)};
    double low = 1;
    double high = 0;
    for (const auto& run : scores) {
      row.push_back(score_text(run[c].f1));
      low = std::min(low, run[c].f1);
      high = std::max(high, run[c].f1);
    }
    if (pair) row.push_back(fmt::format("{:+.4f}", scores[best][c].f1 - scores[other][c].f1));
    if (!of_difference.empty()) {
      const statistics::Interval interval = of_difference[c + 1];
      row.push_back(fmt::format("{:+.3f} to {:+.3f}", interval.low, interval.high));
    }
    rows.emplace_back(low - high, std::move(row));
  }
  if (rows.size() > kClassesDrawn) {  // the largest differences first
    std::stable_sort(rows.begin(), rows.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
  }
  for (auto& [difference, row] : rows) table.rows.push_back(std::move(row));

  Blocks out;
  out.push_back(pages::Section{.id = "classes", .title = "Who wins where"});
  out.push_back(pages::Paragraph{.text = winners_text(runs, scores), .tone = pages::Tone::Finding});
  if (names.size() <= kClassesDrawn) {
    out.push_back(pages::Figure{.chart = std::move(chart),
                                .caption = "Whiskers are 95% intervals, each run by itself."});
  }
  out.push_back(std::move(table));
  return out;
}

/// Which images one run gets right and another does not.
Blocks image_section(const Runs& runs, std::size_t best) {
  pages::Table table{
      .caption = "Images that both runs predicted",
      .columns = {"runs", "both right", "only the first", "only the second", "both wrong"}};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (i == best || basis_of(runs[i], runs[best]) == Basis::OtherData) continue;
    const RightAnswers answers = right_answers(answers_of_both(runs[best], runs[i]));
    table.rows.push_back({fmt::format("{}, {}", runs[best].name, runs[i].name),
                          std::to_string(answers.both), std::to_string(answers.only_a),
                          std::to_string(answers.only_b), std::to_string(answers.neither)});
  }
  if (table.rows.empty()) return {};
  Blocks out;
  out.push_back(pages::Section{.id = "images", .title = "Images"});
  out.push_back(pages::Paragraph{
      .text = "Where each run is right on images that the other is not, their average (`predict "
              "--run A --run B`) is often better than both. What both have wrong is worth a look: "
              "it may be labelled wrongly."});
  out.push_back(std::move(table));
  return out;
}

}  // namespace

pages::Page comparison_page(Runs runs) {
  if (runs.size() < 2) throw ValueError("a comparison needs two runs");
  make_names_unique(runs);
  const std::size_t best = best_run(runs);
  const std::vector<Intervals> intervals = intervals_of(runs);
  std::vector<std::string> names;
  for (const RunRecord& run : runs) names.push_back(run.name);
  pages::Page page{.title = fmt::format("{} runs compared", runs.size()),
                   .subtitle = fmt::format("{}", fmt::join(names, ", "))};
  append(page.blocks, result_section(runs, best, intervals));
  append(page.blocks, settings_section(runs));
  append(page.blocks, curve_section(runs));
  append(page.blocks, class_section(runs, best, intervals));
  append(page.blocks, image_section(runs, best));
  return page;
}

}  // namespace hanok::run_report
