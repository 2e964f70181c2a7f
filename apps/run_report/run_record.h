// What a run folder says about its run, read once for all that reports on it. Nothing is trained
// and no image is decoded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hanok/apps/options/options.h"
#include "hanok/apps/run/fold_result.h"
#include "hanok/apps/run/run_folder.h"
#include "hanok/apps/statistics/bootstrap.h"
#include "hanok/apps/training/samples/experiment_data.h"

#pragma GCC visibility push(default)
namespace hanok::run_report {

/// What a fold's network, which was not trained on the image, answered for it.
struct Prediction {
  std::string path;   // relative to the data's folder
  std::string group;  // as folds.csv has it
  int fold = 0;
  std::int64_t label = 0, answer = 0;
  std::vector<float> probabilities{};  // one a class

  bool right() const { return label == answer; }
  float of_label() const { return probabilities[static_cast<std::size_t>(label)]; }
  float of_answer() const { return probabilities[static_cast<std::size_t>(answer)]; }
};

struct RunRecord {
  std::string path;  // absolute
  std::string name;  // of its folder
  training::Options options{};
  /// folds.csv: labels, groups, folds, classes; the images may be gone.
  training::ExperimentData data{};
  std::vector<int> planned{};                    // numbers of the folds to train
  std::vector<training::FoldResult> folds{};     // those that are done
  std::vector<training::EpochMetrics> epochs{};  // of all folds
  std::vector<Prediction> predictions{};         // of the folds that are done
  std::string summary{};                         // text of summary.json; empty if there is none

  const std::vector<std::string>& class_names() const { return data.dataset.class_names; }
  bool finished() const { return !planned.empty() && folds.size() == planned.size(); }
  /// The epochs of one fold, in order.
  std::vector<training::EpochMetrics> epochs_of(int fold) const;
  /// Mean macro F1 of the folds that are done, as summary.json has it; NaN if there is none.
  double macro_f1() const;
  /// The same of always answering the most frequent class.
  double majority_macro_f1() const;
};

/// 95% intervals of all scores of the run's predictions, groups drawn whole; empty without any.
std::optional<statistics::ScoreIntervals> score_intervals(const RunRecord& run);

/// Throws UsageError if `path` holds no run; FormatError or IoError, naming the file, for damaged
/// or missing ones. A run that is not finished has the folds that are.
RunRecord read_run(const std::string& path);

}  // namespace hanok::run_report
#pragma GCC visibility pop
