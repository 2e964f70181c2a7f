// Scores of a run: result, confusion matrix, classes, calibration.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "hanok/apps/cli/words.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run/scores.h"
#include "hanok/apps/run_report/calibration.h"
#include "hanok/apps/run_report/sections.h"
#include "hanok/kernels/base/error.h"

namespace hanok::run_report {
namespace {

using training::FoldResult;
constexpr std::size_t kClassesDrawn = 30;

std::string between(const statistics::Interval& interval) {
  return fmt::format("{:.3f} to {:.3f}", interval.low, interval.high);
}

const std::string& name_of(const RunRecord& run, std::int64_t number) {
  return run.class_names()[static_cast<std::size_t>(number)];
}

std::string result_sentence(const RunRecord& run, const statistics::Interval& of_macro_f1) {
  const double pooled = training::pooled(run.folds).macro_f1();
  const std::string interval = between(of_macro_f1);
  const std::string baseline = fmt::format("Always answering the most frequent class gives {:.4f}.",
                                           run.majority_macro_f1());
  if (run.folds.size() == 1) {
    return fmt::format("Macro F1 is {:.4f} (95% interval {}). {}", pooled, interval, baseline);
  }
  double low = 1;
  double high = 0;
  for (const FoldResult& fold : run.folds) {
    low = std::min(low, fold.confusion.macro_f1());
    high = std::max(high, fold.confusion.macro_f1());
  }
  return fmt::format(
      "Macro F1 is {:.4f}, the mean of {} folds ({:.4f} to {:.4f}); over all images together it is "
      "{:.4f}, with a 95% interval of {}. {}",
      run.macro_f1(), run.folds.size(), low, high, pooled, interval, baseline);
}

/// Classes that the network never found, or never answered.
std::string lost_classes(const RunRecord& run) {
  const std::vector<nn::ClassScore> scores = training::pooled(run.folds).per_class();
  std::vector<std::string> lost;
  for (std::size_t c = 0; c < scores.size(); ++c) {
    if (scores[c].support > 0 && scores[c].f1 == 0) lost.push_back(run.class_names()[c]);
  }
  if (lost.empty()) return "";
  std::string names;
  for (std::size_t i = 0; i < std::min<std::size_t>(lost.size(), 5); ++i) {
    names += (i == 0 ? "" : ", ") + training::shown_name(lost[i]);
  }
  if (lost.size() > 5) names += fmt::format(" and {} more", lost.size() - 5);
  return fmt::format("Not one image was recognised of {}: {}.",
                     training::counted(lost.size(), "class", "classes"), names);
}

/// The score against corrected labels; empty if the run had none (--corrections).
std::string corrections_text(const RunRecord& run) {
  double sum = 0;
  for (const FoldResult& fold : run.folds) {
    if (!fold.corrected) return "";
    sum += fold.corrected->macro_f1();
  }
  return fmt::format(
      "Trained on corrected labels (--corrections). Every score here is against the labels as they "
      "were; against the corrected ones, without dropped photographs, macro F1 is {:.4f}.",
      sum / static_cast<double>(run.folds.size()));
}

/// Macro F1 of each fold, and of --report-subset.
pages::Table fold_table(const RunRecord& run) {
  pages::Table table{.caption = "Folds",
                     .columns = {"fold", "images", "macro F1", "accuracy", "validation loss",
                                 "best epoch", "epochs", "majority macro F1"}};
  const bool shuffled = run.folds.front().shuffled_labels_macro_f1.has_value();
  if (shuffled) table.columns.emplace_back("shuffled labels");
  for (const FoldResult& fold : run.folds) {
    table.rows.push_back({fmt::format("fold {}", fold.fold), std::to_string(fold.confusion.total()),
                          fmt::format("{:.4f}", fold.confusion.macro_f1()),
                          fmt::format("{:.4f}", fold.confusion.accuracy()),
                          fmt::format("{:.4f}", fold.val_loss), std::to_string(fold.best_epoch),
                          std::to_string(fold.epochs),
                          fmt::format("{:.4f}", fold.majority_macro_f1)});
    if (shuffled) {
      table.rows.back().push_back(
          fmt::format("{:.4f}", fold.shuffled_labels_macro_f1.value_or(std::nan(""))));
    }
  }
  return table;
}

pages::Table subset_table(const RunRecord& run) {
  pages::Table table{.caption = "Files by name (--report-subset)",
                     .columns = {"files", "images", "macro F1", "accuracy"}};
  for (const auto& [glob, ignored] : run.folds.front().subsets) {
    nn::ConfusionMatrix matrix(run.folds.front().confusion.classes());
    for (const FoldResult& fold : run.folds) {
      if (const auto found = fold.subsets.find(glob); found != fold.subsets.end()) {
        matrix.merge(found->second);
      }
    }
    table.rows.push_back({glob, std::to_string(matrix.total()),
                          fmt::format("{:.4f}", matrix.macro_f1()),
                          fmt::format("{:.4f}", matrix.accuracy())});
  }
  return table;
}

/// Numbers of the classes, those with the lowest F1 first if there are many.
std::vector<std::size_t> class_order(const std::vector<nn::ClassScore>& scores) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  if (order.size() <= kClassesDrawn) return order;
  std::stable_sort(order.begin(), order.end(), [&scores](std::size_t a, std::size_t b) {
    return std::pair(scores[a].f1, -scores[a].support) <
           std::pair(scores[b].f1, -scores[b].support);
  });
  return order;
}

pages::Table classes_by_fold(const RunRecord& run, const std::vector<std::size_t>& order) {
  pages::Table table{
      .caption = "F1 of each class in each fold; a dash: the fold has no image of it",
      .columns = {"class"}};
  std::vector<std::vector<nn::ClassScore>> scores;
  for (const FoldResult& fold : run.folds) {
    table.columns.push_back(fmt::format("fold {}", fold.fold));
    scores.push_back(fold.confusion.per_class());
  }
  for (const std::size_t c : order) {
    std::vector<std::string> row = {run.class_names()[c]};
    for (const std::vector<nn::ClassScore>& fold : scores) {
      row.push_back(fold[c].support == 0 ? "-"
                                         : fmt::format("{:.3f} ({})", fold[c].f1, fold[c].support));
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace

void append(Blocks& blocks, Blocks more) {
  for (pages::Block& block : more) blocks.push_back(std::move(block));
}

Blocks result_section(const RunRecord& run, const Intervals& intervals, const FitVerdict& fit) {
  Blocks out;
  out.push_back(pages::Section{.id = "result", .title = "Result"});
  if (!run.finished()) {
    out.push_back(pages::Paragraph{
        .text = fmt::format("This run is not finished: {} of {} folds are done. `finetune --resume "
                            "{}` continues it.",
                            run.folds.size(), run.planned.size(), run.path),
        .tone = pages::Tone::Warning});
  }
  if (intervals) {
    out.push_back(pages::Paragraph{.text = result_sentence(run, intervals->macro_f1),
                                   .tone = pages::Tone::Finding});
  }
  const bool good = fit.fit == Fit::Fine || fit.fit == Fit::Unknown;
  out.push_back(pages::Paragraph{.text = fit.sentence,
                                 .tone = good ? pages::Tone::Finding : pages::Tone::Warning});
  if (run.folds.empty()) return out;
  if (const std::string lost = lost_classes(run); !lost.empty()) {
    out.push_back(pages::Paragraph{.text = lost, .tone = pages::Tone::Warning});
  }
  if (const std::string corrections = corrections_text(run); !corrections.empty()) {
    out.push_back(pages::Paragraph{.text = corrections, .tone = pages::Tone::Finding});
  }
  const std::size_t images = run.data.dataset.samples.size();
  pages::Facts facts;
  facts.rows = {
      {"network", fmt::format("{}, {} px, --mode {}", run.options.model, run.options.image_size,
                              training::name_of(run.options.mode))},
      {"data",
       fmt::format("{} in {}", training::counted(images, "image", "images"), run.options.data)},
      {"classes", std::to_string(run.class_names().size())},
      {"scored",
       fmt::format("{} predictions of networks that were not trained on the image",
                   training::with_commas(static_cast<std::int64_t>(run.predictions.size())))},
      {"intervals", run.data.grouped ? "95%, bootstrap of whole groups: photographs of one person "
                                       "or source are drawn together"
                                     : "95%, bootstrap of the images"}};
  if (!run.data.bad.empty()) {
    facts.rows.emplace_back("left out",
                            training::counted(run.data.bad.size(), "image that cannot be read",
                                              "images that cannot be read"));
  }
  out.push_back(facts);
  out.push_back(fold_table(run));
  if (!run.folds.front().subsets.empty()) out.push_back(subset_table(run));
  return out;
}

Blocks confusion_section(const RunRecord& run) {
  if (run.folds.empty()) return {};
  const nn::ConfusionMatrix matrix = training::pooled(run.folds);
  Blocks out;
  out.push_back(pages::Section{.id = "confusion", .title = "Which class is taken for which"});
  if (run.class_names().size() <= kClassesDrawn) {
    pages::HeatMap map;
    map.title = "Confusion matrix";
    map.row_label = "label";
    map.column_label = "prediction";
    map.rows = map.columns = run.class_names();
    map.by_row = true;
    for (std::int64_t t = 0; t < matrix.classes(); ++t) {
      std::vector<double> row;
      for (std::int64_t p = 0; p < matrix.classes(); ++p) {
        row.push_back(static_cast<double>(matrix.count(t, p)));
      }
      map.values.push_back(std::move(row));
    }
    out.push_back(pages::Figure{
        .chart = std::move(map),
        .caption =
            "Images of each label (rows) by prediction (columns), all folds; colours are shares "
            "of the row."});
  }
  const std::vector<training::ConfusedPair> pairs = training::worst_pairs(matrix, 20);
  if (pairs.empty()) {
    out.push_back(pages::Paragraph{.text = "No class was taken for another."});
    return out;
  }
  pages::Table table{.caption = "Most confused pairs",
                     .columns = {"label", "prediction", "images", "share of the label's images"},
                     .text_columns = {1},
                     .shown = 10};
  for (const training::ConfusedPair& pair : pairs) {
    table.rows.push_back({name_of(run, pair.truth), name_of(run, pair.answer),
                          std::to_string(pair.images), fmt::format("{:.1f}%", 100 * pair.share)});
  }
  out.push_back(std::move(table));
  return out;
}

Blocks class_section(const RunRecord& run, const Intervals& intervals) {
  if (run.folds.empty() || !intervals) return {};
  const std::vector<nn::ClassScore> scores = training::pooled(run.folds).per_class();
  const std::vector<std::size_t> order = class_order(scores);
  Blocks out;
  out.push_back(pages::Section{.id = "classes", .title = "Classes"});
  pages::BarChart chart;
  chart.title = "F1 of each class";
  chart.values.label = "F1";
  chart.values.high = 1;
  chart.reference = training::pooled(run.folds).macro_f1();
  chart.reference_name = "macro F1";
  pages::BarChart::Bars bars;
  pages::Table table{
      .caption = "Scores of each class over all folds",
      .columns = {"class", "images", "precision", "recall", "F1", "95% interval of F1"}};
  for (const std::size_t c : order) {
    const statistics::Interval interval = intervals->classes[c].f1;
    table.rows.push_back(
        {run.class_names()[c], std::to_string(scores[c].support),
         fmt::format("{:.4f}", scores[c].precision), fmt::format("{:.4f}", scores[c].recall),
         fmt::format("{:.4f}", scores[c].f1), scores[c].support == 0 ? "-" : between(interval)});
    chart.categories.push_back(run.class_names()[c]);
    bars.values.push_back(scores[c].f1);
    bars.low.push_back(interval.low);
    bars.high.push_back(interval.high);
  }
  chart.series.push_back(std::move(bars));
  if (order.size() <= kClassesDrawn) {
    out.push_back(pages::Figure{.chart = std::move(chart),
                                .caption = "Whiskers are 95% intervals of the bootstrap; the line "
                                           "is macro F1 over all images together."});
  }
  out.push_back(std::move(table));
  if (run.folds.size() > 1 && run.folds.size() <= kMostFoldsDrawn) {
    out.push_back(classes_by_fold(run, order));
  }
  return out;
}

Blocks calibration_section(const RunRecord& run) {
  if (run.predictions.empty()) return {};
  std::vector<ScoredAnswer> answers;
  for (const Prediction& prediction : run.predictions) {
    answers.push_back({.probability = prediction.of_answer(), .right = prediction.right()});
  }
  const Calibration result = calibration(answers);
  pages::LineChart chart;
  chart.title = "Reliability diagram";
  chart.x = {.label = "probability of the prediction", .high = 1};
  chart.y = {.label = "share that is right", .high = 1};
  chart.diagonal = true;
  pages::Series series{.name = "predictions"};
  pages::Table table{.caption = "Bins of the reliability diagram",
                     .columns = {"probability", "predictions", "mean probability", "share right"},
                     .shown = 15};
  for (const CalibrationBin& bin : result.bins) {
    if (bin.images == 0) continue;
    series.x.push_back(bin.confidence);
    series.y.push_back(bin.accuracy);
    table.rows.push_back({fmt::format("{:.3f} to {:.3f}", bin.low, bin.high),
                          std::to_string(bin.images), fmt::format("{:.3f}", bin.confidence),
                          fmt::format("{:.3f}", bin.accuracy)});
  }
  chart.series.push_back(std::move(series));

  const double gap = result.confidence - result.accuracy;
  std::string judgement = "on average they are as often right as their probability says";
  if (gap > 0.02)
    judgement = "they are right less often than their probability says: overconfident";
  if (gap < -0.02) {
    judgement = "they are right more often than their probability says: underconfident";
  }
  Blocks out;
  out.push_back(pages::Section{.id = "calibration", .title = "Can the probabilities be trusted?"});
  out.push_back(pages::Paragraph{
      .text = fmt::format(
          "The expected calibration error is {:.4f} (15 bins of equal width). "
          "Predictions have a mean probability of {:.3f}, and {:.3f} of them are right: "
          "{}.",
          result.ece, result.confidence, result.accuracy, judgement),
      .tone = pages::Tone::Finding});
  out.push_back(pages::Figure{
      .chart = std::move(chart),
      .caption =
          "Points on the diagonal: a probability of 0.8 is right 8 times of 10. Points below "
          "it: the network is too sure."});
  out.push_back(std::move(table));
  return out;
}

}  // namespace hanok::run_report
