// Scores of trained networks on labelled data: the work behind `evaluate`.
#pragma once

#include <string>

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/faces/face_finder.h"
#include "hanok/apps/options/reading_options.h"
#include "hanok/data/dataset.h"

#pragma GCC visibility push(default)
namespace hanok::training {

struct EvaluateOptions : ReadingOptions {
  std::string run{}, checkpoint{};  // one of the two; a run's folds are averaged
  std::string data{};
  data::DatasetOptions reading{};
  /// .json: scores, with two CSV files beside it if there are more than 100 classes; .csv: a
  /// prediction per photograph; empty: none.
  std::string out{};
  bool allow_missing_classes = false;  // score data that lack some of the network's classes
  faces::MakeFaceFinder make_finder = faces::make_mtcnn;  // of networks trained with --crop face
};

/// Prints scores, a line per class and the confusion matrix, and writes `out`. Classes of data and
/// network are matched by name. Throws UsageError, IoError, FormatError; ValueError listing both
/// sides' classes if they differ, and listing all unreadable images.
void evaluate_data(const EvaluateOptions& options, Reporter& reporter);

}  // namespace hanok::training
#pragma GCC visibility pop
