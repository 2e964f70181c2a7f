// Scores of trained networks on labelled data: the work behind `evaluate`.
#pragma once

#include <cstdint>
#include <string>

namespace hanok::training {

struct EvaluateOptions {
  std::string run, checkpoint;  // one of the two; a run's folds are averaged
  std::string data;
  std::string layout = "auto";
  std::string out;                     // .json: scores; .csv: an answer a photograph; empty: none
  bool allow_bad = false;              // leave out unreadable images instead of failing
  bool allow_missing_classes = false;  // score data that lack some of the network's classes
  std::int64_t batch_size = 32, threads = 0, workers = 2;
};

/// Prints scores, a line a class and the confusion matrix, and writes `out`. Classes of data and
/// network are matched by name. Throws UsageError, IoError, FormatError; ValueError listing both
/// sides' classes if they differ, and listing all unreadable images.
void evaluate_data(const EvaluateOptions& options);

}  // namespace hanok::training
