// Curves of a run: what each epoch of each fold measured.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "hanok/apps/run_report/sections.h"

namespace hanok::run_report {
namespace {

using training::EpochMetrics;
using Value = double EpochMetrics::*;

/// Numbers of the folds that have epochs, in order.
std::vector<int> folds_with_epochs(const RunRecord& run) {
  std::set<int> folds;
  for (const EpochMetrics& epoch : run.epochs) folds.insert(epoch.fold);
  return {folds.begin(), folds.end()};
}

pages::Series series_of(const std::vector<EpochMetrics>& epochs, Value value,
                        const std::string& name) {
  pages::Series series{.name = name};
  for (const EpochMetrics& epoch : epochs) {
    series.x.push_back(static_cast<double>(epoch.epoch));
    series.y.push_back(epoch.*value);
  }
  return series;
}

/// Those that are done or, if there is none, in training.
std::set<int> judged_folds(const RunRecord& run) {
  std::set<int> folds;
  for (const training::FoldResult& fold : run.folds) folds.insert(fold.fold);
  if (!folds.empty()) return folds;
  for (const EpochMetrics& epoch : run.epochs) folds.insert(epoch.fold);
  return folds;
}

/// The epoch whose weights a fold keeps; 0 if it has none yet.
std::int64_t best_epoch(const std::vector<EpochMetrics>& epochs) {
  std::int64_t best = 0;
  for (const EpochMetrics& epoch : epochs) {
    if (epoch.best) best = epoch.epoch;
  }
  return best;
}

enum class MarkNames { Shown, Hidden };
std::vector<std::pair<double, std::string>> marks_of(const std::vector<Unfreezing>& unfreezings,
                                                     MarkNames names) {
  std::vector<std::pair<double, std::string>> marks;
  for (const Unfreezing& unfreezing : unfreezings) {
    marks.emplace_back(static_cast<double>(unfreezing.epoch),
                       names == MarkNames::Shown ? unfreezing.what : "");
  }
  return marks;
}

/// An empty chart over epochs.
pages::LineChart epoch_chart(const RunRecord& run, const std::string& title,
                             const std::string& value, const std::vector<Unfreezing>& unfreezings,
                             MarkNames names) {
  std::int64_t last_epoch = 1;
  for (const EpochMetrics& epoch : run.epochs) last_epoch = std::max(last_epoch, epoch.epoch);
  pages::LineChart chart;
  chart.title = title;
  chart.x.label = "epoch";
  chart.x.low = 1;
  chart.x.high = std::max(2.0, static_cast<double>(last_epoch));
  chart.y.label = value;
  chart.marks = marks_of(unfreezings, names);
  std::erase_if(chart.marks, [last_epoch](const auto& mark) {
    return mark.first > static_cast<double>(last_epoch);
  });
  return chart;
}

pages::Figure loss_figure(const RunRecord& run, int fold,
                          const std::vector<Unfreezing>& unfreezings) {
  const std::vector<EpochMetrics> epochs = run.epochs_of(fold);
  pages::LineChart chart = epoch_chart(run, fmt::format("Losses of fold {}", fold), "loss",
                                       unfreezings, MarkNames::Hidden);
  chart.series = {series_of(epochs, &EpochMetrics::loss, "training"),
                  series_of(epochs, &EpochMetrics::val_loss, "validation")};
  chart.series.front().dashed = true;
  const std::int64_t best = best_epoch(epochs);
  if (best > 0) chart.marks.emplace_back(static_cast<double>(best), "best epoch");
  return {.chart = std::move(chart),
          .caption = best > 0 ? fmt::format("The weights of epoch {} are kept.", best)
                              : "No epoch was the best yet."};
}

pages::Figure mean_loss_figure(const RunRecord& run, const std::vector<Unfreezing>& unfreezings) {
  pages::LineChart chart =
      epoch_chart(run, "Losses, mean of the folds", "loss", unfreezings, MarkNames::Hidden);
  chart.series = {mean_series(run, &EpochMetrics::loss, "training"),
                  mean_series(run, &EpochMetrics::val_loss, "validation")};
  chart.series.front().dashed = true;
  return {.chart = std::move(chart),
          .caption =
              "Bands are the range of the folds. The training loss is measured while the "
              "weights change and with augmented photographs, so it may lie above the "
              "validation loss at first."};
}

/// One series a fold, or their mean if there are many.
pages::Figure macro_f1_figure(const RunRecord& run, const std::vector<Unfreezing>& unfreezings) {
  pages::LineChart chart = epoch_chart(run, "Macro F1 of the validation images", "macro F1",
                                       unfreezings, MarkNames::Shown);
  const std::vector<int> folds = folds_with_epochs(run);
  if (folds.size() > kMostFoldsDrawn) {
    chart.series = {mean_series(run, &EpochMetrics::val_macro_f1, "mean of the folds")};
  } else {
    for (const int fold : folds) {
      chart.series.push_back(series_of(run.epochs_of(fold), &EpochMetrics::val_macro_f1,
                                       fmt::format("fold {}", fold)));
    }
  }
  return {.chart = std::move(chart),
          .caption =
              unfreezings.empty() ? "" : "Dashed lines: from here on more of the network learns."};
}

/// Learning rates of the fold with the most epochs: all folds follow the same schedule.
pages::Figure rate_figure(const RunRecord& run, const std::vector<Unfreezing>& unfreezings) {
  std::vector<EpochMetrics> longest;
  for (const int fold : folds_with_epochs(run)) {
    std::vector<EpochMetrics> epochs = run.epochs_of(fold);
    if (epochs.size() > longest.size()) longest = std::move(epochs);
  }
  pages::LineChart chart =
      epoch_chart(run, "Learning rate", "learning rate", unfreezings, MarkNames::Hidden);
  chart.series = {series_of(longest, &EpochMetrics::learning_rate, "learning rate")};
  const std::vector<double>& rates = chart.series.front().y;
  if (!rates.empty()) {  // from 0 on: a rate that hardly moves looks so
    chart.y.high = 1.1 * *std::max_element(rates.begin(), rates.end());
  }
  return {.chart = std::move(chart),
          .caption = fmt::format("At the end of each epoch; --scheduler {}.",
                                 training::name_of(run.options.scheduler))};
}

/// Images of each class among the training images of a fold; with balanced weights classes count
/// alike.
double guessing_loss_of(const RunRecord& run, int fold) {
  std::vector<std::int64_t> images(run.class_names().size(), 0);
  for (const std::int64_t i : run.data.training(fold)) {
    ++images[static_cast<std::size_t>(run.data.dataset.samples[static_cast<std::size_t>(i)].label)];
  }
  if (run.options.class_weights == training::ClassWeights::Balanced) {
    for (std::int64_t& count : images) count = std::min<std::int64_t>(count, 1);
  }
  return guessing_loss(images);
}

}  // namespace

pages::Series mean_series(const RunRecord& run, Value value, const std::string& name) {
  std::map<std::int64_t, std::vector<double>> by_epoch;
  const std::set<int> judged = judged_folds(run);
  for (const EpochMetrics& epoch : run.epochs) {
    if (judged.count(epoch.fold) == 0 || !std::isfinite(epoch.*value)) continue;
    by_epoch[epoch.epoch].push_back(epoch.*value);
  }
  const std::size_t folds = by_epoch.empty() ? 0 : by_epoch.begin()->second.size();
  pages::Series series{.name = name};
  for (const auto& [epoch, values] : by_epoch) {
    if (values.size() < folds) continue;
    double sum = 0;
    for (const double one : values) sum += one;
    series.x.push_back(static_cast<double>(epoch));
    series.y.push_back(sum / static_cast<double>(values.size()));
    series.low.push_back(*std::min_element(values.begin(), values.end()));
    series.high.push_back(*std::max_element(values.begin(), values.end()));
  }
  return series;
}

FitVerdict fit_of(const RunRecord& run) {
  std::vector<FoldFit> fits;
  for (const int fold : judged_folds(run)) {
    fits.push_back(judge_fold(run.epochs_of(fold), guessing_loss_of(run, fold)));
  }
  return judge_run(fits);
}

std::vector<Unfreezing> unfreezings_in_epochs(const RunRecord& run) {
  std::set<std::int64_t> changed;
  for (const int fold : folds_with_epochs(run)) {
    const std::vector<EpochMetrics> epochs = run.epochs_of(fold);
    for (std::size_t i = 1; i < epochs.size(); ++i) {
      if (epochs[i].trainable_parameters != epochs[i - 1].trainable_parameters) {
        changed.insert(epochs[i].epoch);
      }
    }
  }
  std::vector<Unfreezing> out;
  for (const std::int64_t epoch : changed) out.push_back({epoch, "unfreezing"});
  return out;
}

Blocks curve_section(const RunRecord& run, const std::vector<Unfreezing>& unfreezings) {
  const std::vector<int> folds = folds_with_epochs(run);
  if (folds.empty()) return {};
  Blocks out;
  out.push_back(pages::Section{.id = "curves", .title = "Curves"});
  if (folds.size() > 1) out.push_back(mean_loss_figure(run, unfreezings));
  out.push_back(macro_f1_figure(run, unfreezings));
  if (folds.size() <= kMostFoldsDrawn) {
    for (const int fold : folds) out.push_back(loss_figure(run, fold, unfreezings));
  }
  out.push_back(rate_figure(run, unfreezings));
  return out;
}

}  // namespace hanok::run_report
