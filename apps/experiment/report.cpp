#include "hanok/apps/experiment/report.h"

#include <algorithm>
#include <fmt/format.h>

#include "hanok/apps/run/files.h"
#include "hanok/apps/run/scores.h"
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

/// The confusion matrix, or where to find it if it is too wide to be printed.
std::string confusions(const nn::ConfusionMatrix& answers, const std::vector<std::string>& names,
                       const RunFolder& folder) {
  constexpr std::size_t kMostColumns = 100;
  const std::string table = confusion_table(answers, names);
  if (table.find('\n') <= kMostColumns) return table;
  return fmt::format("which class was taken for which: confusion_matrix in {}\n", folder.summary());
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

}  // namespace

std::string fold_classes(const Options& options, const ExperimentData& data, int fold) {
  const std::vector<std::string>& names = data.dataset.class_names;
  const std::vector<std::int64_t> training = labels_of(data.dataset, data.training(fold));
  const std::vector<std::int64_t> validation = labels_of(data.dataset, data.validation(fold));
  std::size_t width = 5;
  for (const std::string& name : names) width = std::max(width, name.size());
  std::string out = fmt::format("\nfold {}\n{:<{}}{:>10}{:>12}\n", fold, "class", width, "training",
                                "validation");
  for (std::size_t c = 0; c < names.size(); ++c) {
    const auto label = static_cast<std::int64_t>(c);
    const auto in_training = std::count(training.begin(), training.end(), label);
    const auto in_validation = std::count(validation.begin(), validation.end(), label);
    const bool unlearnable = in_training == 0 && in_validation > 0;
    out += fmt::format("{:<{}}{:>10}{:>12}{}\n", names[c], width, in_training, in_validation,
                       unlearnable ? "  warning: nothing to learn from" : "");
  }
  out += fmt::format("{:<{}}{:>10}{:>12}\n", "all", width, training.size(), validation.size());
  if (options.sampler == data::Sampling::Shuffled) return out;
  return out + fmt::format("\n--sampler {}\n{}", name_of(options.sampler),
                           data::sampling_table(options.sampler, training, names, options.seed,
                                                options.epochs));
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
  run.reporter.print(fmt::format("\n{}\n{}\n{}", class_table(answers, names),
                                 confusions(answers, names, folder), final_table(results)));
  for (const FoldResult& result : results) {
    run.reporter.print(fmt::format("fold {}: weights {} (best), {} (last)\n", result.fold,
                                   result.weights_hash, result.last_weights_hash));
  }
  if (results.front().shuffled_labels_macro_f1) run.reporter.print(baselines_text(results));
  run.reporter.print(fmt::format("run folder: {}\n", folder.path()));
}

}  // namespace hanok::training
