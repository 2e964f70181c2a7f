#include "hanok/apps/experiment/report.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>
#include <utility>

#include "hanok/apps/data_report/run_shortcut.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run/scores.h"
#include "hanok/apps/run_report/run_page.h"
#include "hanok/apps/training/optimization.h"
#include "hanok/data/sampler.h"

namespace hanok::training {
namespace {

std::vector<std::int64_t> labels_of(const data::Dataset& dataset,
                                    const std::vector<std::int64_t>& samples) {
  std::vector<std::int64_t> labels;
  for (const std::int64_t i : samples) {
    labels.push_back(dataset.samples[static_cast<std::size_t>(i)].label);
  }
  return labels;
}

/// All folds' rows under one header.
std::string joined_predictions(const RunFolder& folder, const std::vector<FoldResult>& results) {
  std::string all;
  for (const FoldResult& result : results) {
    const std::string rows = read_file(folder.fold_predictions(result.fold));
    all += all.empty() ? rows : rows.substr(rows.find('\n') + 1);
  }
  return all;
}

/// The first lines of a text of several, and how many follow.
std::string first_lines(const std::string& text, std::size_t most) {
  std::size_t end = 0;
  for (std::size_t line = 0; line < most && end < text.size(); ++line) {
    end = text.find('\n', end) + 1;
  }
  const auto left = std::count(text.begin() + static_cast<std::ptrdiff_t>(end), text.end(), '\n');
  return text.substr(0, end) + (left > 0 ? fmt::format("... and {} more lines\n", left) : "");
}

/// The numbers of the classes that fold_classes shows: all, or where there are many those that
/// cannot be learned and then the smallest.
std::vector<std::size_t> shown_classes(const std::vector<std::int64_t>& in_training,
                                       const std::vector<std::int64_t>& in_validation) {
  constexpr std::size_t kShownOfMany = 20;
  std::vector<std::size_t> shown(in_training.size());
  std::iota(shown.begin(), shown.end(), 0);
  if (shown.size() <= kMostClassesShown) return shown;
  std::stable_sort(shown.begin(), shown.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(in_training[a], -in_validation[a]) <
           std::pair(in_training[b], -in_validation[b]);
  });
  shown.resize(kShownOfMany);
  return shown;
}

std::vector<std::int64_t> members_by_class(const std::vector<std::int64_t>& labels,
                                           std::size_t classes) {
  std::vector<std::int64_t> members(classes, 0);
  for (const std::int64_t label : labels) {
    if (label >= 0) ++members[static_cast<std::size_t>(label)];
  }
  return members;
}

/// The means over folds next to chance level; only with --baselines.
std::string baselines_text(const std::vector<FoldResult>& results) {
  double own = 0;
  double majority = 0;
  double shuffled = 0;
  for (const FoldResult& result : results) {
    own += result.confusion.macro_f1();
    majority += result.majority_macro_f1;
    shuffled += result.shuffled_labels_macro_f1.value_or(0);
  }
  const auto count = static_cast<double>(results.size());
  return fmt::format(
      "\nmacro F1 {:.4f}; always predicting the majority class gives {:.4f}, training on shuffled "
      "labels {:.4f}\n",
      own / count, majority / count, shuffled / count);
}

std::vector<std::size_t> as_rows(const std::vector<std::int64_t>& samples) {
  return {samples.begin(), samples.end()};
}

/// Where a fact of the files alone reaches half of the run's macro F1; else empty.
std::string shortcut_text(const Run& run, const std::vector<FoldResult>& results) {
  std::vector<statistics::FoldRows> folds;
  double macro_f1 = 0;
  for (const FoldResult& result : results) {
    folds.push_back({.training = as_rows(run.data.training(result.fold)),
                     .validation = as_rows(run.data.validation(result.fold))});
    macro_f1 += result.confusion.macro_f1() / static_cast<double>(results.size());
  }
  const auto shortcut = data_report::shortcut_of_run(run.data.dataset, folds, macro_f1);
  if (!shortcut) return "";
  return fmt::format(
      "shortcut: {} alone reach macro F1 {:.2f} (this run: {:.2f}); see inspect data {} --report "
      "FILE.html\n",
      shortcut->fact, shortcut->macro_f1, macro_f1, run.options.data);
}

}  // namespace

std::string fold_classes(const Options& options, const ExperimentData& data, int fold) {
  const std::vector<std::string>& names = data.dataset.class_names;
  const std::vector<std::int64_t> training = labels_of(data.dataset, data.training(fold));
  const std::vector<std::int64_t> validation = labels_of(data.dataset, data.validation(fold));
  const std::vector<std::int64_t> in_training = members_by_class(training, names.size());
  const std::vector<std::int64_t> in_validation = members_by_class(validation, names.size());
  const std::vector<std::size_t> shown = shown_classes(in_training, in_validation);
  std::size_t width = 5;
  for (const std::size_t c : shown) width = std::max(width, shown_name(names[c]).size());
  std::string out = fmt::format("\nfold {}\n{:<{}}{:>10}{:>12}\n", fold, "class", width, "training",
                                "validation");
  for (const std::size_t c : shown) {
    const bool unlearnable = in_training[c] == 0 && in_validation[c] > 0;
    out += fmt::format("{:<{}}{:>10}{:>12}{}\n", shown_name(names[c]), width, in_training[c],
                       in_validation[c], unlearnable ? "  warning: nothing to learn from" : "");
  }
  if (shown.size() < names.size()) {
    out += fmt::format("... and {} classes with as many or more\n", names.size() - shown.size());
  }
  out += fmt::format("{:<{}}{:>10}{:>12}\n", "all", width, training.size(), validation.size());
  if (options.sampler == data::Sampling::Shuffled) return out;
  const std::string table =
      data::sampling_table(options.sampler, training, names, options.seed, options.epochs);
  return out + fmt::format("\n--sampler {}\n{}", name_of(options.sampler),
                           first_lines(table, kMostClassesShown + 2));
}

void report_network(const Options& options, Trainer& trainer, Reporter& reporter) {
  if (!trainer.start_note().empty()) reporter.print(trainer.start_note() + "\n");
  if (options.mode == FreezingMode::FeatureExtraction &&
      options.weights.source == StartWeights::Source::Random) {
    reporter.warn("--mode feature-extraction on random weights trains a head on noise");
  }
  reporter.print(fmt::format("{}, {} mode\n{}", options.model, name_of(options.mode),
                             trainer.freezing().table(trainer.model())));
  reporter.print(rates_table(parameter_groups(options, trainer.model(), trainer.freezing())));
}

void report_results(const Run& run, const std::vector<FoldResult>& results) {
  const RunFolder& folder = run.folder;
  write_file(folder.predictions(), joined_predictions(folder, results));
  write_file(folder.summary(), summary_json(results, run.data.dataset.class_names, run.data.bad));
  const nn::ConfusionMatrix answers = pooled(results);
  const std::vector<std::string>& names = run.data.dataset.class_names;
  write_file(folder.per_class(), per_class_csv(answers, names));
  write_file(folder.confusion_matrix(), confusion_csv(answers, names));
  run.reporter.print(fmt::format("\n{}\n{}\n{}", class_table(answers, names),
                                 confusion_table(answers, names), final_table(results)));
  for (const FoldResult& result : results) {
    run.reporter.print(fmt::format("fold {}: weights {} (best), {} (last)\n", result.fold,
                                   result.weights_hash, result.last_weights_hash));
  }
  if (results.front().shuffled_labels_macro_f1) run.reporter.print(baselines_text(results));
  if (!fit_the_screen(answers, names)) {
    run.reporter.print(fmt::format("every class: {}; every count: {}\n", folder.per_class(),
                                   folder.confusion_matrix()));
  }
  run.reporter.print(fmt::format("run folder: {}\n", folder.path()));
}

void report_findings(const Run& run, const std::vector<FoldResult>& results) {
  if (const std::string text = shortcut_text(run, results); !text.empty()) {
    run.reporter.print(text);
  }
  run_report::write_report(run.folder, run.reporter);
}

}  // namespace hanok::training
